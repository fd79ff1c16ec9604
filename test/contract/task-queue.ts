/** What every TaskQueue must do, whatever service is behind it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Task } from '../../core/contracts/task.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';

export interface QueueUnderTest {
  readonly queue: TaskQueue;
  /** Takes messages from the queue, for good, until there are `count`; gives what it has after `deadlineMs`. */
  take(count: number, deadlineMs: number): Promise<readonly Task[]>;
  /** From now on the service cannot be reached. */
  cut(): Promise<void>;
  close(): Promise<void>;
}

const shards = (count: number): Task[] =>
  Array.from({ length: count }, (_, shard) => ({
    v: 1,
    kind: 'shard',
    job: 'job_contract0',
    round: 3,
    shard,
  }));

const byShard = (tasks: readonly Task[]) =>
  [...tasks].sort((a, b) => (a.kind === 'shard' && b.kind === 'shard' ? a.shard - b.shard : 0));

export function taskQueueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`TaskQueue: ${name}`, () => {
    let subject: QueueUnderTest;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());

    it('delivers a task as it was sent', async () => {
      await subject.queue.send([{ v: 1, kind: 'plan', job: 'job_contract0' }]);
      expect(await subject.take(1, 5_000)).toEqual([{ v: 1, kind: 'plan', job: 'job_contract0' }]);
    });

    it.each([1, 10, 11, 57])('sends %i tasks in one call, each once', async (count) => {
      await subject.queue.send(shards(count));
      expect(byShard(await subject.take(count, 10_000))).toEqual(shards(count));
      expect(await subject.take(1, 200)).toEqual([]);
    });

    it('sends nothing for no tasks', async () => {
      await subject.queue.send([]);
      expect(await subject.take(1, 200)).toEqual([]);
    });

    it('holds a delayed task back', async () => {
      const sent = performance.now();
      await subject.queue.send(shards(1), { delaySeconds: 1 });
      expect(await subject.take(1, 500)).toEqual([]);
      expect(await subject.take(1, 5_000)).toEqual(shards(1));
      expect(performance.now() - sent).toBeGreaterThan(990);
    });

    it('holds back only those that are to wait', async () => {
      const tasks = shards(12);
      const isLate = (task: Task) => task.kind === 'shard' && task.shard === 11;
      await subject.queue.send(tasks, { delaySeconds: (task) => (isLate(task) ? 2 : 0) });
      expect(byShard(await subject.take(11, 1_500))).toEqual(tasks.slice(0, 11));
      expect(await subject.take(1, 5_000)).toEqual(tasks.slice(11));
    });

    it.each([-1, 901, 1.5, Number.NaN])('refuses a delay of %d seconds', async (delaySeconds) => {
      await expect(subject.queue.send(shards(1), { delaySeconds })).rejects.toMatchObject({
        code: 'invalid',
        field: 'delaySeconds',
      });
    });

    it('says unavailable where the service is away', async () => {
      await subject.cut();
      await expect(subject.queue.send(shards(1))).rejects.toMatchObject({
        name: 'Fault',
        code: 'unavailable',
        retryable: true,
      });
    });
  });
}
