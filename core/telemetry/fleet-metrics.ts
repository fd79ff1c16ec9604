/**
 * The fleet's metrics. How many messages its queues hold the queue service tells; what becomes of them the functions' log
 * lines tell whoever reads them: functions come and go, and cannot be scraped. Labels are of closed sets.
 */
import { MESSAGE_KINDS, OUTCOMES, type TaskLine } from '../contracts/log.ts';
import type { QueueDepth } from '../queue/depth.ts';
import { createRegistry, type Registry } from './metrics.ts';

export const QUEUES = ['tasks', 'dead-letters'] as const;
export type QueueName = (typeof QUEUES)[number];
type OfQueues<T> = Readonly<Record<QueueName, T>>;

/** Seconds: from a watch that finds nothing to do to a function's longest run. */
const TASK_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900] as const;

/** @returns the text of one scrape */
export function queueDepthText(depths: OfQueues<QueueDepth>): string {
  const registry = createRegistry();
  registry.gaugeOf(
    'causeway_queue_messages',
    'Messages of a queue, about: that wait, that are being worked on, that are delayed.',
    ['queue', 'state'],
    () =>
      QUEUES.flatMap((queue) => {
        const { visible, inFlight, delayed } = depths[queue];
        return [
          [[queue, 'visible'], visible] as const,
          [[queue, 'in-flight'], inFlight] as const,
          [[queue, 'delayed'], delayed] as const,
        ];
      }),
  );
  return registry.text();
}

export interface TaskMetrics {
  /** A delivery has ended. */
  count(line: TaskLine): void;
}

/** Counts what the fleet's log lines say. */
export function taskMetrics(registry: Registry): TaskMetrics {
  const tasks = registry.counter(
    'causeway_tasks_total',
    'Deliveries of messages to the fleet that ended, by what the message asked for and how it ended.',
    ['kind', 'outcome'],
  );
  const retries = registry.counter(
    'causeway_task_retries_total',
    'Of those, deliveries that were not the first of their message.',
    ['kind'],
  );
  const deadLetters = registry.counter(
    'causeway_task_dead_letters_total',
    'Of those, after which the message went to the dead-letter queue.',
    ['kind'],
  );
  const duration = registry.histogram(
    'causeway_task_duration_seconds',
    'From the beginning of a delivery to its end.',
    ['kind'],
    TASK_BUCKETS,
  );
  const age = registry.histogram(
    'causeway_task_age_seconds',
    'From the sending of a message to the beginning of its delivery, its delay among it.',
    ['kind'],
    TASK_BUCKETS,
  );
  // A series that begins with its first event hides that event from rate().
  for (const kind of MESSAGE_KINDS) {
    for (const outcome of OUTCOMES) tasks.add([kind, outcome], 0);
    retries.add([kind], 0);
    deadLetters.add([kind], 0);
  }
  return {
    count({ kind, outcome, attempt, deadLetter, durationMs, ageMs }) {
      tasks.add([kind, outcome]);
      if (attempt > 1) retries.add([kind]);
      if (deadLetter) deadLetters.add([kind]);
      duration.observe([kind], durationMs / 1000);
      if (ageMs !== undefined) age.observe([kind], ageMs / 1000);
    },
  };
}

/** @param oldest seconds since the oldest message that waits or is being worked on was sent; 0: there is none */
export function queueAges(registry: Registry, oldest: (queue: QueueName) => number): void {
  registry.gaugeOf(
    'causeway_queue_oldest_seconds',
    'Age of the oldest message that waits or is being worked on; 0 where there is none.',
    ['queue'],
    () => QUEUES.map((queue) => [[queue], oldest(queue)] as const),
  );
}
