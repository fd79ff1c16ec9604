import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from '../../infra/local/lambda/event-source-mapping.ts';
import { duplicating } from '../lambda-faults.ts';
import {
  createFunction,
  type FunctionOptions,
  type LambdaFunction,
} from '../../infra/local/lambda/function.ts';
import type { Invocable } from '../../infra/local/lambda/invocation.ts';
import { startSqsServer } from '../../infra/local/sqs/server.ts';
import type { Step } from '../fixtures/handlers/steps.ts';
import { countMessages, openSqs, sendText, type SqsFixture, takeMessages } from './sqs-fixture.ts';

let sqs: SqsFixture;
let target: LambdaFunction;
let mapping: EventSourceMapping;

const silent = () => {};

/** One message: what was invoked with it, and which delivery it was. */
interface Delivery {
  readonly id: string;
  readonly receive: number;
  readonly at: number;
  readonly batch: number;
}

/** Keeps a record of what passes on its way to the function. */
function watched(inner: Invocable): Invocable & { readonly deliveries: Delivery[] } {
  const deliveries: Delivery[] = [];
  return {
    deliveries,
    maxConcurrency: inner.maxConcurrency,
    free: () => inner.free(),
    whenFree: () => inner.whenFree(),
    invoke(event, options) {
      const { Records } = event as SQSEvent;
      for (const { messageId, attributes } of Records) {
        const receive = Number(attributes.ApproximateReceiveCount);
        deliveries.push({ id: messageId, receive, at: performance.now(), batch: Records.length });
      }
      return inner.invoke(event, options);
    },
  };
}

async function start(
  options: { visibilityTimeoutS?: number } & Partial<FunctionOptions> &
    Partial<EventSourceMappingOptions> = {},
) {
  sqs = await openSqs({ visibilityTimeoutS: options.visibilityTimeoutS ?? 30 });
  target = createFunction({
    name: 'consumer',
    handlerFile: new URL('../fixtures/handlers/steps.ts', import.meta.url),
    timeoutMs: 10_000,
    maxConcurrency: 2,
    log: silent,
    ...options,
  });
  const seen = watched(target);
  mapping = startEventSourceMapping({
    client: sqs.client,
    queueUrl: sqs.server.queueUrl,
    queueArn: sqs.server.queueArn,
    target: seen,
    log: silent,
    ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
    ...(options.batchWindowS === undefined ? {} : { batchWindowS: options.batchWindowS }),
  });
  return seen.deliveries;
}

const send = (step: Step) => sendText(sqs.client, sqs.server.queueUrl, JSON.stringify(step));

async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const left = async () => {
  const { waiting, inFlight, delayed } = await countMessages(sqs.client, sqs.server.queueUrl);
  return waiting + inFlight + delayed;
};

afterEach(async () => {
  await mapping.stop();
  await target.stop({ drainMs: 0 });
  await sqs.close();
});

describe('delivery', () => {
  it('hands over the record AWS documents, and deletes what succeeded', async () => {
    let event: unknown;
    sqs = await openSqs({ visibilityTimeoutS: 30 });
    target = createFunction({
      name: 'consumer',
      handlerFile: new URL('../fixtures/handlers/steps.ts', import.meta.url),
      timeoutMs: 1_000,
      maxConcurrency: 1,
    });
    mapping = startEventSourceMapping({
      client: sqs.client,
      queueUrl: sqs.server.queueUrl,
      queueArn: sqs.server.queueArn,
      target: {
        ...target,
        invoke: (given, options) => {
          event = given;
          return target.invoke(given, options);
        },
      },
    });
    const body = JSON.stringify({ do: 'echo' });
    await sqs.client.send(
      new SendMessageCommand({
        QueueUrl: sqs.server.queueUrl,
        MessageBody: body,
        MessageAttributes: { trace: { DataType: 'String', StringValue: 'x' } },
      }),
    );
    await until(() => mapping.stats().deleted === 1);
    expect(await left()).toBe(0);
    expect(event).toEqual({
      Records: [
        {
          messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          receiptHandle: expect.any(String),
          body,
          attributes: {
            ApproximateReceiveCount: '1',
            SentTimestamp: expect.stringMatching(/^\d{13}$/),
            SenderId: expect.any(String),
            ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
          },
          messageAttributes: {
            trace: { dataType: 'String', stringValue: 'x', stringListValues: [], binaryListValues: [] },
          },
          md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
          eventSource: 'aws:sqs',
          eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:causeway-tasks',
          awsRegion: 'us-east-1',
        },
      ],
    });
  });

  it('delivers again only what failed of a batch', async () => {
    const deliveries = await start({
      visibilityTimeoutS: 3,
      batchSize: 10,
      batchWindowS: 1,
      maxConcurrency: 1,
    });
    const good = await send({ do: 'echo' });
    const bad = await send({ do: 'throw', message: 'no' });
    const alsoGood = await send({ do: 'echo' });
    await until(() => deliveries.some(({ id, receive }) => id === bad && receive === 2));
    await until(() => mapping.stats().deleted === 2);
    expect(deliveries.slice(0, 3).map(({ id, batch }) => [id, batch])).toEqual([
      [good, 3],
      [bad, 3],
      [alsoGood, 3],
    ]);
    expect(deliveries.slice(3).every(({ id }) => id === bad)).toBe(true);
    const [, first] = deliveries;
    const second = deliveries.find(({ receive }) => receive === 2);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(1_900);
  });

  it('gives up on a message after five deliveries, and the dead-letter queue has it', async () => {
    const deliveries = await start({ visibilityTimeoutS: 0, maxConcurrency: 1 });
    await send({ do: 'throw', message: 'always' });
    await until(async () => (await countMessages(sqs.client, sqs.server.deadLetterQueueUrl)).waiting === 1);
    expect(deliveries.map(({ receive }) => receive)).toEqual([1, 2, 3, 4, 5]);
  });

  it('starts a message within milliseconds', async () => {
    const deliveries = await start();
    await target.warm(1);
    const waits: number[] = [];
    for (let n = 1; n <= 50; n++) {
      const sent = performance.now();
      await send({ do: 'echo' });
      await until(() => deliveries.length === n);
      waits.push((deliveries.at(-1)?.at ?? 0) - sent);
      await until(() => mapping.stats().deleted === n);
    }
    waits.sort((a, b) => a - b);
    console.log(`send to invoke: p50 ${waits[25]?.toFixed(2)} ms, p90 ${waits[45]?.toFixed(2)} ms`);
    expect(waits[25]).toBeLessThan(20);
  });

  it('goes on where the queue was away', async () => {
    const deliveries = await start();
    const { port } = new URL(sqs.server.endpoint);
    await sqs.server.stop();
    await until(() => mapping.stats().receiveErrors >= 2);
    const again = await startSqsServer({
      stateDir: sqs.stateDir,
      port: Number(port),
      visibilityTimeoutS: 30,
    });
    try {
      await send({ do: 'echo' });
      await until(() => mapping.stats().deleted === 1);
      expect(deliveries).toHaveLength(1);
      await mapping.stop();
    } finally {
      await again.stop();
    }
  });
});

describe('concurrency', () => {
  it('never runs more at once than the function may, and nothing waits hidden meanwhile', async () => {
    await start({ maxConcurrency: 2 });
    for (let n = 0; n < 12; n++) await send({ do: 'wait', ms: 50 });
    let hidden = 0;
    await until(async () => {
      hidden = Math.max(hidden, (await countMessages(sqs.client, sqs.server.queueUrl)).inFlight);
      return mapping.stats().deleted === 12;
    });
    expect(mapping.stats()).toMatchObject({ received: 12, invocations: 12, failed: 0, maxActive: 2 });
    expect(target.stats()).toMatchObject({ environments: 2, throttles: 0 });
    // Two that run and at most two whose delete is on its way.
    expect(hidden).toBeLessThanOrEqual(4);
  });

  it('shares the function with other callers', async () => {
    await start({ maxConcurrency: 1 });
    const direct = target.invoke({ do: 'wait', ms: 200 });
    await send({ do: 'echo' });
    await until(() => mapping.stats().deleted === 1);
    expect((await direct).kind).toBe('result');
    expect(mapping.stats()).toMatchObject({ failed: 0, maxActive: 1 });
  });
});

describe('faults', () => {
  it('delivers again what a timeout killed', async () => {
    const deliveries = await start({ visibilityTimeoutS: 1, timeoutMs: 200, maxConcurrency: 1 });
    const id = await send({ do: 'hang' });
    await until(() => deliveries.length === 2);
    expect(deliveries.map((delivery) => [delivery.id, delivery.receive])).toEqual([
      [id, 1],
      [id, 2],
    ]);
    expect(target.stats().timeouts).toBeGreaterThanOrEqual(1);
  });

  it('delivers again what a crash took down', async () => {
    const deliveries = await start({ visibilityTimeoutS: 1, maxConcurrency: 1 });
    const id = await send({ do: 'exit', code: 1 });
    const other = await send({ do: 'echo' });
    await until(() => deliveries.filter((delivery) => delivery.id === id).length === 2);
    expect(deliveries.filter((delivery) => delivery.id === other)).toHaveLength(1);
    expect(mapping.stats().deleted).toBe(1);
  });

  it('can deliver every message twice', async () => {
    await start();
    await mapping.stop();
    const seen = watched(target);
    mapping = startEventSourceMapping({
      client: sqs.client,
      queueUrl: sqs.server.queueUrl,
      queueArn: sqs.server.queueArn,
      target: duplicating(seen),
      log: silent,
    });
    for (let n = 0; n < 5; n++) await send({ do: 'echo' });
    await until(() => mapping.stats().deleted === 5);
    const byId = Map.groupBy(seen.deliveries, ({ id }) => id);
    expect(byId.size).toBe(5);
    // An attempt that found no environment free is tried again, so at least twice.
    for (const [, deliveries] of byId) expect(deliveries.length).toBeGreaterThanOrEqual(2);
    expect(target.stats().invocations - target.stats().throttles).toBe(10);
  });
});

describe('stop', () => {
  it('waits for what runs, and leaves the rest in the queue', async () => {
    await start({ maxConcurrency: 1 });
    for (let n = 0; n < 3; n++) await send({ do: 'wait', ms: 200 });
    await until(() => mapping.stats().active === 1);
    await mapping.stop();
    expect(mapping.stats()).toMatchObject({ active: 0, deleted: 1, failed: 0 });
    expect(await countMessages(sqs.client, sqs.server.queueUrl)).toMatchObject({ waiting: 2, inFlight: 0 });
  });

  it('takes nothing that is sent afterwards', async () => {
    const deliveries = await start();
    for (let round = 0; round < 20; round++) {
      await mapping.stop();
      await send({ do: 'echo' });
      expect(await countMessages(sqs.client, sqs.server.queueUrl)).toMatchObject({ waiting: 1, inFlight: 0 });
      expect(await takeMessages(sqs.client, sqs.server.queueUrl, 1, 1_000)).toHaveLength(1);
      const { queueUrl, queueArn } = sqs.server;
      mapping = startEventSourceMapping({ client: sqs.client, queueUrl, queueArn, target, log: silent });
      await countMessages(sqs.client, queueUrl);
    }
    expect(deliveries).toEqual([]);
  });

  it('does not wait for its long poll', async () => {
    await start();
    await until(() => mapping.stats().active === 0);
    const began = performance.now();
    await mapping.stop();
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('options', () => {
  beforeEach(() => start());

  it.each([
    ['batchSize', { batchSize: 11 }],
    ['batchSize', { batchSize: 0 }],
    ['batchWindowS', { batchWindowS: 301 }],
    ['maxConcurrency', { maxConcurrency: 0 }],
  ])('refuses a bad %s', (field, options) => {
    const { queueUrl, queueArn } = sqs.server;
    expect(() =>
      startEventSourceMapping({ client: sqs.client, queueUrl, queueArn, target, ...options }),
    ).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });
});
