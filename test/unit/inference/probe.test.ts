/** What a target tells who asks it for its load. */
import { expect, it } from 'vitest';
import { createFixture, infer, release } from './fixture.ts';

it('is asked for its load without a model: requests in flight, and what they took lately', async () => {
  const fixture = createFixture();
  await release(fixture.store, 'm', { factor: 3 });
  const probe = async () => {
    const { status, headers } = await fixture.app.request('/v2/health/live');
    return [status, headers.get('x-causeway-in-flight'), headers.get('x-causeway-latency-ms')];
  };
  expect(await probe()).toEqual([200, '0', '0']);
  fixture.runtime.pause = () => void (fixture.time.now += 40);
  // Loading the model is no load.
  await infer(fixture.app, 'm');
  expect(await probe()).toEqual([200, '0', '0']);
  await infer(fixture.app, 'm');
  expect(await probe()).toEqual([200, '0', '40']);

  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  fixture.runtime.pause = () => gate;
  const going = infer(fixture.app, 'm');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await probe()).toEqual([200, '1', '40']);
  open();
  await going;
  expect((await probe())[1]).toBe('0');
});
