import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { RequestLine, TaskLine } from '../../../core/contracts/log.ts';
import { queueAges, queueDepthText, taskMetrics } from '../../../core/telemetry/fleet-metrics.ts';
import { createRegistry } from '../../../core/telemetry/metrics.ts';

const EMPTY = { visible: 0, inFlight: 0, delayed: 0 };
const line = (given: Partial<TaskLine>): TaskLine =>
  TaskLine.parse({
    timestamp: '2026-01-02T03:04:05.000Z',
    level: 'INFO',
    message: 'task',
    service: 'fleet',
    traceId: '1'.repeat(32),
    spanId: '1'.repeat(16),
    messageId: 'm',
    kind: 'shard',
    attempt: 1,
    durationMs: 100,
    outcome: 'done',
    ...given,
  });

function counted(...lines: readonly Partial<TaskLine>[]): string {
  const registry = createRegistry();
  const metrics = taskMetrics(registry);
  queueAges(registry, (queue) => (queue === 'tasks' ? 1.5 : 0));
  for (const each of lines) metrics.count(line(each));
  return registry.text();
}

/** `name type label label`, of everything exposed. */
const familiesOf = (text: string) =>
  Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = '', type]) => {
    const sample = text
      .split('\n')
      .find((each) => each.startsWith(`${name}{`) || each.startsWith(`${name}_count{`));
    const labels = Array.from(sample?.matchAll(/(\w+)="/g) ?? [], ([, label]) => label);
    return `${name} ${type} ${labels.join(' ')}`;
  });

describe('the list of metrics in docs/operations.md', () => {
  it('is what is exposed: names, types and labels', async () => {
    const exposed = familiesOf(
      queueDepthText({ tasks: EMPTY, 'dead-letters': EMPTY }) + counted({ ageMs: 1 }),
    );
    const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
    const documented = Array.from(
      page.matchAll(/^\| `(causeway_\w+)` \| (\w+) \| ([^|]*) \|/gm),
      ([, name, type, labels = '']) =>
        `${name} ${type} ${Array.from(labels.matchAll(/`(\w+)`/g), ([, label]) => label).join(' ')}`,
    );
    expect(documented).toEqual(exposed);
  });

  it('and the fields of lines are those of the contract', async () => {
    const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
    const table = page.slice(page.indexOf('| field |'), page.indexOf('## Metrics'));
    const documented = Array.from(table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm), ([, names = '']) =>
      Array.from(names.matchAll(/`(\w+)`/g), ([, name]) => name),
    ).flat();
    const fields = new Set([...Object.keys(TaskLine.shape), ...Object.keys(RequestLine.shape)]);
    expect(documented).toHaveLength(fields.size);
    expect(new Set(documented)).toEqual(fields);
  });
});

it('the depth of queues is by queue and state', () => {
  const text = queueDepthText({
    tasks: { visible: 3, inFlight: 2, delayed: 1 },
    'dead-letters': { ...EMPTY, visible: 4 },
  });
  expect(text.split('\n').slice(2, -1)).toEqual([
    'causeway_queue_messages{queue="tasks",state="visible"} 3',
    'causeway_queue_messages{queue="tasks",state="in-flight"} 2',
    'causeway_queue_messages{queue="tasks",state="delayed"} 1',
    'causeway_queue_messages{queue="dead-letters",state="visible"} 4',
    'causeway_queue_messages{queue="dead-letters",state="in-flight"} 0',
    'causeway_queue_messages{queue="dead-letters",state="delayed"} 0',
  ]);
});

describe('what lines say', () => {
  const text = counted(
    { durationMs: 40, ageMs: 2_000 },
    { attempt: 2, outcome: 'retried' },
    { attempt: 3, outcome: 'lost', deadLetter: true },
    { kind: 'watch', outcome: 'done' },
  );

  it('is counted by kind and outcome; what was delivered again, and what went to the dead letters', () => {
    for (const sample of [
      'causeway_tasks_total{kind="shard",outcome="done"} 1',
      'causeway_tasks_total{kind="shard",outcome="retried"} 1',
      'causeway_tasks_total{kind="shard",outcome="lost"} 1',
      'causeway_tasks_total{kind="watch",outcome="done"} 1',
      'causeway_task_retries_total{kind="shard"} 2',
      'causeway_task_dead_letters_total{kind="shard"} 1',
      'causeway_task_duration_seconds_bucket{kind="shard",le="0.05"} 1',
      'causeway_task_duration_seconds_count{kind="shard"} 3',
      'causeway_task_age_seconds_sum{kind="shard"} 2',
      'causeway_task_age_seconds_count{kind="shard"} 1',
      'causeway_queue_oldest_seconds{queue="tasks"} 1.5',
      'causeway_queue_oldest_seconds{queue="dead-letters"} 0',
    ])
      expect(text.split('\n')).toContain(sample);
  });

  it('begins at 0, for all that may happen', () => {
    expect(text).toContain('causeway_tasks_total{kind="merge",outcome="dead"} 0\n');
    expect(text).toContain('causeway_task_dead_letters_total{kind="unreadable"} 0\n');
  });
});
