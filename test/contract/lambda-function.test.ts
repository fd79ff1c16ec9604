import { afterEach, describe, expect, it } from 'vitest';
import {
  createFunction,
  type FunctionOptions,
  type LambdaFunction,
} from '../../infra/local/lambda/function.ts';
import type { InvokeOutcome } from '../../infra/local/lambda/invocation.ts';

const STEPS = new URL('../fixtures/handlers/steps.ts', import.meta.url);
const ONE_MODEL = new URL('../fixtures/gradients/mlp_mnist.onnx', import.meta.url).pathname;

let lines: string[] = [];
let functions: LambdaFunction[] = [];
afterEach(async () => {
  await Promise.all(functions.map((each) => each.stop({ drainMs: 0 })));
  functions = [];
  lines = [];
});

function create(options: Partial<FunctionOptions> = {}): LambdaFunction {
  const made = createFunction({
    name: 'steps',
    handlerFile: STEPS,
    timeoutMs: 10_000,
    maxConcurrency: 2,
    log: (line) => lines.push(line),
    ...options,
  });
  functions.push(made);
  return made;
}

function valueOf(outcome: InvokeOutcome): unknown {
  if (outcome.kind !== 'result') throw new Error(`not a result: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.payload);
}

const call = async (target: LambdaFunction, step: unknown) => valueOf(await target.invoke(step));

async function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('an invocation', () => {
  it('passes JSON in and JSON out', async () => {
    const target = create();
    const value = { text: 'ü\u{1F600}"', list: [1, null, true], nested: { a: 0.1 } };
    expect(await call(target, { do: 'echo', value })).toEqual({ do: 'echo', value });
    expect(await target.invoke({ do: 'nothing' })).toEqual({ kind: 'result', payload: 'null' });
  });

  it('has the context AWS gives', async () => {
    const target = create({ memoryMb: 512 });
    expect(await call(target, { do: 'context' })).toMatchObject({
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      functionName: 'steps',
      functionVersion: '$LATEST',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:steps',
      memoryLimitInMB: '512',
      logGroupName: '/aws/lambda/steps',
      remaining: expect.closeTo(10_000, -3),
    });
  });

  it('sees the environment it was given and not ours', async () => {
    const target = create({ environment: { CAUSEWAY_BUCKET: 'b' } });
    expect(await call(target, { do: 'environment', name: 'CAUSEWAY_BUCKET' })).toBe('b');
    expect(await call(target, { do: 'environment', name: 'AWS_LAMBDA_FUNCTION_NAME' })).toBe('steps');
    expect(process.env['VITEST']).toBeDefined();
    expect(await call(target, { do: 'environment', name: 'VITEST' })).toBeNull();
  });

  it('prefixes what the function prints', async () => {
    await call(create(), { do: 'print', line: 'hello' });
    await until(() => lines.includes('[steps 1] hello'));
  });

  it('refuses an event over 6 MB and a result over 6 MB', async () => {
    const target = create();
    const value = 'x'.repeat(6 * 1024 * 1024 + 100);
    expect(await target.invoke({ do: 'echo', value })).toMatchObject({ kind: 'too_large' });
    expect(await target.invoke({ do: 'large', bytes: 6 * 1024 * 1024 + 99 })).toMatchObject({
      kind: 'failed',
      error: { errorType: 'Function.ResponseSizeTooLarge' },
    });
    expect(await target.invoke({ do: 'large', bytes: 6 * 1024 * 1024 })).toMatchObject({ kind: 'result' });
  });
});

describe('errors', () => {
  it.each([
    [
      { do: 'throw', message: 'no' },
      { errorType: 'RangeError', errorMessage: 'no' },
    ],
    [
      { do: 'throw-text', message: 'no' },
      { errorType: 'string', errorMessage: 'no' },
    ],
    [
      { do: 'circular' },
      { errorType: 'Runtime.MarshalError', errorMessage: expect.stringMatching(/^Unable to stringify/) },
    ],
  ])('%j is reported, and the environment lives on', async (step, error) => {
    const target = create();
    expect(await target.invoke(step)).toEqual({ kind: 'failed', error });
    expect(await call(target, { do: 'count' })).toMatchObject({ invocations: 2 });
    await until(() => lines.some((line) => line.includes('Invoke Error')));
  });

  it.each([
    [
      { do: 'exit', code: 3 },
      { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: exit status 3' },
    ],
    [
      { do: 'exit', code: 0 },
      { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited without providing a reason' },
    ],
    [{ do: 'throw-later' }, { errorType: 'RangeError', errorMessage: 'nobody caught this' }],
    [
      { do: 'reject-later' },
      {
        errorType: 'Runtime.UnhandledPromiseRejection',
        errorMessage: 'RangeError: nobody waited for this',
      },
    ],
  ])('%j ends the environment, and the next invocation gets a new one', async (step, error) => {
    const target = create();
    expect(await target.invoke(step)).toEqual({ kind: 'failed', error });
    expect(await call(target, { do: 'count' })).toMatchObject({ invocations: 1 });
    expect(target.stats()).toMatchObject({ coldStarts: 2, failures: 1 });
  });

  it.each([
    ['broken-import.ts', { errorType: 'Runtime.ImportModuleError' }],
    ['no-handler.ts', { errorType: 'Runtime.HandlerNotFound' }],
    ['callback.ts', { errorType: 'Runtime.CallbackHandlerDeprecated' }],
    ['not-there.ts', { errorType: 'Runtime.ImportModuleError' }],
  ])('%s cannot be started', async (file, error) => {
    const target = create({ handlerFile: new URL(`../fixtures/handlers/${file}`, import.meta.url) });
    expect(await target.invoke({})).toMatchObject({ kind: 'failed', error });
    await expect(target.warm(1)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('the timeout', () => {
  it.each([['spin'], ['hang']])('kills a handler that would %s', async (step) => {
    const target = create({ timeoutMs: 300, maxConcurrency: 1, queueWaitMs: 8_000 });
    await target.warm(1);
    const began = performance.now();
    expect(await target.invoke({ do: step })).toEqual({
      kind: 'failed',
      error: {
        errorType: 'Sandbox.Timedout',
        errorMessage: expect.stringMatching(
          /^RequestId: [0-9a-f-]{36} Error: Task timed out after 0.30 seconds$/,
        ),
      },
    });
    expect(performance.now() - began).toBeLessThan(1_000);
    // The next one waits until the thread is really gone, then has a fresh environment.
    expect(await call(target, { do: 'count' })).toMatchObject({ invocations: 1 });
    expect(target.stats()).toMatchObject({ timeouts: 1, coldStarts: 2, environments: 1 });
  });

  it('survives killing an environment in the middle of native computation', async () => {
    const handlerFile = new URL('../fixtures/handlers/ort-busy.ts', import.meta.url);
    const target = create({ handlerFile, timeoutMs: 500, maxConcurrency: 1, queueWaitMs: 5_000 });
    for (let round = 0; round < 3; round++) {
      expect(await target.invoke({ model: ONE_MODEL })).toMatchObject({
        kind: 'failed',
        error: { errorType: 'Sandbox.Timedout' },
      });
    }
    await target.stop({ drainMs: 0 });
    expect(target.stats()).toMatchObject({ environments: 0, timeouts: 3 });
  });
});

describe('concurrency', () => {
  it('starts environments on demand up to the maximum and reuses the warm one first', async () => {
    const target = create({ maxConcurrency: 3 });
    const one = await call(target, { do: 'count' });
    expect(await call(target, { do: 'count' })).toEqual({ ...(one as object), invocations: 2 });
    const places = await Promise.all(Array.from({ length: 3 }, () => call(target, { do: 'wait', ms: 200 })));
    expect(new Set(places).size).toBe(3);
    expect(target.stats()).toMatchObject({ environments: 3, busy: 0, coldStarts: 3 });
  });

  it('never exceeds the maximum, and loses none of the waiting', async () => {
    const target = create({ maxConcurrency: 2, queueWaitMs: 10_000 });
    let highest = 0;
    const calls = Array.from({ length: 20 }, () => call(target, { do: 'wait', ms: 10 }));
    const watch = setInterval(() => {
      highest = Math.max(highest, target.stats().busy, target.stats().environments);
    }, 1);
    const places = await Promise.all(calls);
    clearInterval(watch);
    expect(new Set(places).size).toBe(2);
    expect(highest).toBe(2);
  });

  it('throttles when the queue is full, when it takes too long, and when asked not to wait', async () => {
    const target = create({ maxConcurrency: 1, queueLimit: 1, queueWaitMs: 100 });
    await target.warm(1);
    const running = target.invoke({ do: 'wait', ms: 400 });
    const tooLong = target.invoke({ do: 'echo' });
    expect(await target.invoke({ do: 'echo' })).toEqual({ kind: 'throttled' });
    expect(await target.invoke({ do: 'echo' }, { queue: false })).toEqual({ kind: 'throttled' });
    expect(await tooLong).toEqual({ kind: 'throttled' });
    expect((await running).kind).toBe('result');
    expect((await target.invoke({ do: 'echo' })).kind).toBe('result');
  });

  it('says when it is free', async () => {
    const target = create({ maxConcurrency: 1 });
    expect(target.free()).toBe(1);
    const running = target.invoke({ do: 'wait', ms: 50 });
    expect(target.free()).toBe(0);
    await target.whenFree();
    expect(target.free()).toBe(1);
    await running;
  });

  it('is of one invocation in an environment, unless more are allowed', async () => {
    const four = () => Array.from({ length: 4 }, () => 'meet' as const);
    const alone = create({ maxConcurrency: 1, queueWaitMs: 10_000 });
    const met = await Promise.all(four().map((step) => call(alone, { do: step })));
    expect(met).toEqual([1, 1, 1, 1]);
    const together = create({ maxConcurrency: 1, concurrencyPerEnvironment: 4, queueWaitMs: 10_000 });
    await together.warm(1);
    const running = four().map((step) => call(together, { do: step }));
    expect(together.free()).toBe(0);
    expect(await together.invoke({ do: 'echo' }, { queue: false })).toEqual({ kind: 'throttled' });
    expect(new Set(await Promise.all(running))).toEqual(new Set([1, 2, 3, 4]));
    expect(together.stats()).toMatchObject({ environments: 1, busy: 0, coldStarts: 1 });
    expect(together.free()).toBe(4);
  });

  it('goes to an idle environment first, then to a new one, then to the one with the fewest', async () => {
    const target = create({ maxConcurrency: 2, concurrencyPerEnvironment: 2, queueWaitMs: 10_000 });
    const wait = () => call(target, { do: 'wait', ms: 200 });
    const places = await Promise.all(Array.from({ length: 4 }, wait));
    const [one, two] = [...new Set(places)];
    expect(places.filter((place) => place === one)).toHaveLength(2);
    expect(places.filter((place) => place === two)).toHaveLength(2);
    const [first, second] = await Promise.all([wait(), wait()]);
    expect(first).not.toBe(second);
  });

  it('of several in an environment: what ends it fails them all, and what waits gets a new one', async () => {
    const target = create({ maxConcurrency: 1, concurrencyPerEnvironment: 2, queueWaitMs: 10_000 });
    await target.warm(1);
    const waiting = target.invoke({ do: 'hang' });
    const ending = target.invoke({ do: 'exit', code: 3 });
    const next = call(target, { do: 'count' });
    const error = {
      errorType: 'Runtime.ExitError',
      errorMessage: 'Runtime exited with error: exit status 3',
    };
    expect(await waiting).toEqual({ kind: 'failed', error });
    expect(await ending).toEqual({ kind: 'failed', error });
    expect(await next).toMatchObject({ invocations: 1 });
  });

  it.each([
    ['timeoutMs', { timeoutMs: 0 }],
    ['concurrencyPerEnvironment', { concurrencyPerEnvironment: 65 }],
    ['timeoutMs', { timeoutMs: 900_001 }],
    ['maxConcurrency', { maxConcurrency: 1.5 }],
  ])('refuses a bad %s', (field, options) => {
    expect(() => create(options)).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });
});

describe('stop', () => {
  it('lets what runs end, then ends the environments', async () => {
    const target = create();
    await target.warm(2);
    const running = target.invoke({ do: 'wait', ms: 300 });
    await target.stop();
    expect((await running).kind).toBe('result');
    expect(target.stats()).toMatchObject({ environments: 0, busy: 0 });
    expect(await target.invoke({ do: 'echo' })).toEqual({ kind: 'throttled' });
  });

  it('does not wait longer than it is told', async () => {
    const target = create();
    await target.warm(1);
    const running = target.invoke({ do: 'hang' });
    await target.stop({ drainMs: 50 });
    expect(await running).toMatchObject({ kind: 'failed', error: { errorType: 'Runtime.ExitError' } });
  });
});
