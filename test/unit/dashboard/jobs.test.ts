import { describe, expect, it } from 'vitest';
import { createEventParser } from '../../../functions/router/dashboard/events.js';
import * as words from '../../../functions/router/dashboard/job-words.js';
import { batchAt, ENDED_JOB, endedJob, jobAt } from '../../e2e/dashboard-samples.ts';

describe('a job in words', () => {
  const ended = endedJob(ENDED_JOB, 2, 0.9778);

  it('by how it stands', () => {
    expect(words.outcome(jobAt(9))).toBe('round 9 of 20');
    expect(words.outcome(jobAt(0, { status: 'queued' }))).toBe('waiting for the fleet');
    expect(words.outcome(jobAt(1, { status: 'cancelled' }))).toBe('after 1 round');
    expect(words.outcome(ended)).toBe('accuracy 97.78 %, release 2');
    expect(words.outcome(batchAt(3))).toBe('Batch inference, 22,500 of 60,000 rows');
    expect(words.announcement(ended)).toBe('Training of mnist succeeded: test accuracy 97.78 %');
    expect(words.nameOf(batchAt(1))).toBe('mnist on mnist version 1');
  });

  it('by how far it is', () => {
    expect(words.progressOf(jobAt(9))).toEqual({ step: 9, steps: 20, share: 0.475, text: '9 of 20 rounds' });
    expect(words.progressOf(batchAt(3))).toMatchObject({ share: 3 / 8, text: '3 of 8 parts' });
    expect(words.progressOf(jobAt(0, { rounds: 0 })).share).toBe(0);
    expect(words.progressOf(ended).share).toBe(1);
  });

  it('by its figures, whose clock goes on while it runs', () => {
    const tiles = (sinceTold: number, job = jobAt(9, { seconds: 10, secondsLeft: 4 })) =>
      Object.fromEntries(words.tilesOf(job, sinceTold).map(([name, figure]) => [name, figure]));
    expect(tiles(0)).toMatchObject({ Rounds: '9', Time: '10 s', 'Time left': '4 s' });
    expect(tiles(3)).toMatchObject({ Time: '13 s', 'Time left': '1 s' });
    expect(tiles(9)).toMatchObject({ 'Time left': '0 s' });
    expect(tiles(99, ended)).toMatchObject({ Release: '2', 'Test accuracy': '97.78 %' });
    expect(tiles(99, ended)).toEqual(tiles(0, ended));
    expect(tiles(0, ended)).not.toHaveProperty('Time left');
  });

  it('by why it came to nothing', () => {
    const { job } = ended;
    const endedAt = new Date(0).toISOString();
    const failed = jobAt(3, { result: { v: 1, job, status: 'failed', endedAt, reason: 'loss is NaN' } });
    expect(words.reasonOf(failed)).toBe('Failed: loss is NaN');
    expect(words.reasonOf(ended)).toBeUndefined();
  });

  it('by what it went without', () => {
    const lost = (shard: number) => ({ shard, rounds: shard + 1, reason: 'label has class id 5' });
    expect(words.lostOf(ended)).toBeUndefined();
    expect(words.lostOf(batchAt(3))).toBeUndefined();
    expect(words.lostOf(jobAt(3, { lost: [lost(0), lost(2)] }))).toBe(
      'Shard 0 was left out of 1 round: label has class id 5. Shard 2 was left out of 3 rounds: label has class id 5.',
    );
    const many = words.lostOf(jobAt(3, { lost: [0, 1, 2, 3, 4].map(lost) }));
    expect(many).toMatch(/Shard 2 .* 5\. So were 2 other shards\.$/);
  });
});

describe('server-sent events', () => {
  const stream =
    'event: progress\ndata: {"a":1}\n\nevent: done\r\ndata: 1\r\ndata: 2\r\n\r\n:ping\n\ndata:rest';
  const expected = [
    { event: 'progress', data: '{"a":1}' },
    { event: 'done', data: '1\n2' },
    { event: 'message', data: '' },
  ];

  it('are whole wherever the stream is cut', () => {
    for (let size = 1; size <= stream.length; size++) {
      const parse = createEventParser();
      const events = [];
      for (let at = 0; at < stream.length; at += size) events.push(...parse(stream.slice(at, at + size)));
      expect(events, `in pieces of ${size}`).toEqual(expected);
    }
  });
});
