/** Metrics of the fleet's tasks, from whoever counts its log lines: the local stack does. */
import { Fault } from '../../core/errors.ts';

/** Milliseconds: a scrape is given ten seconds by default. */
const ANSWER_MS = 5_000;

/** @param url of Prometheus text @throws Fault `unavailable` */
export function countedTasksAt(url: string): () => Promise<string> {
  return async () => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return await response.text();
    } catch (cause) {
      throw new Fault('unavailable', 'the metrics of the tasks cannot be read', { cause });
    }
  };
}
