import { describe, expect, it } from 'vitest';
import type { Preference } from '../../../core/inference/variants.ts';
import { getRelease } from '../../../core/registry/releases.ts';
import { corrupt, createFixture, factorOf, infer, release } from './fixture.ts';

const FP32 = { factor: 2 };
const INT8 = { factor: 8 };

describe('the variant that answers', () => {
  const cases: readonly [Preference, withInt8: boolean, factor: number, variant: string][] = [
    [['int8', 'fp32'], true, 8, 'int8'],
    [['int8', 'fp32'], false, 2, 'fp32'],
    [['fp32'], true, 2, 'fp32'],
    [['fp32', 'int8'], true, 2, 'fp32'],
    [['int8'], true, 8, 'int8'],
  ];
  it.each(cases)(
    'of the preference %j, int8 released %j: factor %i, %s',
    async (variants, has, factor, name) => {
      const { app, store } = createFixture({ config: { variants } });
      await release(store, 'm', FP32, 'stable', has ? INT8 : undefined);
      for (const path of ['m', 'm/versions/1']) {
        const answer = await infer(app, path);
        expect(factorOf(answer)).toBe(factor);
        expect(answer.headers.get('x-causeway-variant')).toBe(name);
      }
    },
  );

  it('is loaded, and only that one', async () => {
    const { app, store, runtime } = createFixture();
    await release(store, 'm', FP32, 'stable', INT8);
    await infer(app, 'm');
    const warm = await infer(app, 'm');
    expect([runtime.loads, warm.headers.get('x-causeway-cold')]).toEqual([1, '0']);
  });

  it('changes with the release', async () => {
    const { app, store, time } = createFixture();
    await release(store, 'm', FP32);
    expect((await infer(app, 'm')).headers.get('x-causeway-variant')).toBe('fp32');
    await release(store, 'm', { factor: 3 }, 'stable', INT8);
    time.now += 10_000;
    const answer = await infer(app, 'm');
    expect([factorOf(answer), answer.headers.get('x-causeway-variant')]).toEqual([8, 'int8']);
  });

  it('is refused where the release has none that is wanted, as this target’s failure', async () => {
    const { app, store } = createFixture({ config: { variants: ['int8'] } });
    await release(store, 'm', FP32);
    const { status, body, headers } = await infer(app, 'm');
    expect(status).toBe(503);
    expect(body.error).toBe('release 1 of m has the variants fp32; this target serves int8');
    expect(headers.get('x-causeway-variant')).toBeNull();
  });

  it('is refused where its bytes were altered, though another variant is whole', async () => {
    const { app, store } = createFixture();
    await release(store, 'm', FP32, 'stable', INT8);
    corrupt(store, (await getRelease(store, 'm', 1))!.variants.int8!.sha256);
    const { status, body } = await infer(app, 'm');
    expect(status).toBe(500);
    expect(body.error).toMatch(/is corrupt/);
  });

  it('is no part of the metadata, which is the protocol’s', async () => {
    const { app, store } = createFixture();
    await release(store, 'm', FP32, 'stable', INT8);
    expect(await (await app.request('/v2/models/m')).json()).toEqual({
      name: 'm',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
    });
  });
});
