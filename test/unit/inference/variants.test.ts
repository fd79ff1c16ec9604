import { describe, expect, it } from 'vitest';
import type { Preference } from '../../../core/registry/variant-names.ts';
import { getRelease } from '../../../core/registry/releases.ts';
import { TOLD_HEADER } from '../../../core/contracts/headers.ts';
import { readTold } from '../../../core/routing/told.ts';
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

describe('the variant that is asked for', () => {
  const asking = (variant: string) => ({ 'x-causeway-variant': variant });

  it('answers before the usual one, where the target serves it and the release has it', async () => {
    const { app, store } = createFixture();
    await release(store, 'both', FP32, 'stable', INT8);
    await release(store, 'one', FP32);
    expect(factorOf(await infer(app, 'both', asking('fp32')))).toBe(2);
    expect(factorOf(await infer(app, 'both', asking('int8')))).toBe(8);
    expect(factorOf(await infer(app, 'both'))).toBe(8);
    const other = await infer(app, 'one', asking('int8'));
    expect([factorOf(other), other.headers.get('x-causeway-variant')]).toEqual([2, 'fp32']);
    const cloud = createFixture({ config: { variants: ['fp32'] } });
    await release(cloud.store, 'both', FP32, 'stable', INT8);
    expect(factorOf(await infer(cloud.app, 'both', asking('int8')))).toBe(2);
  });

  it('is called for as it is sent for', async () => {
    const { store, serving } = createFixture();
    await release(store, 'm', FP32, 'stable', INT8);
    const body = new TextEncoder().encode(
      '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,1]}]}',
    );
    const call = { model: 'm', version: undefined, body, deadlineMs: 1_000, ticket: 't' };
    const factors = await Promise.all(
      (['fp32', 'int8', undefined] as const).map(async (variant, i) => {
        const reply = await serving.directly({ ...call, variant, ticket: `t${i}` }, () => undefined);
        return (JSON.parse(reply.body) as { outputs: { data: number[] }[] }).outputs[0]!.data[0];
      }),
    );
    expect(factors).toEqual([2, 8, 8]);
  });

  it('must be one there can be', async () => {
    const { app, store } = createFixture();
    await release(store, 'm', FP32);
    const answer = await infer(app, 'm', asking('int4'));
    expect(answer.status).toBe(400);
    expect(answer.body.field).toBe('x-causeway-variant');
  });

  it('is usual where the release says so, if the target serves it', async () => {
    const { app, store } = createFixture();
    await release(store, 'm', FP32, 'stable', INT8, { routing: { variant: 'fp32' } });
    expect(factorOf(await infer(app, 'm'))).toBe(2);
    const only = createFixture({ config: { variants: ['int8'] } });
    await release(only.store, 'm', FP32, 'stable', INT8, { routing: { variant: 'fp32' } });
    expect(factorOf(await infer(only.app, 'm'))).toBe(8);
  });
});

describe('the router is told', () => {
  const told = (headers: Headers) => {
    const text = headers.get(TOLD_HEADER);
    return text === null ? undefined : readTold(text);
  };

  it('between which variants there is a choice, the usual one first', async () => {
    const { app, store } = createFixture();
    await release(store, 'both', FP32, 'stable', INT8);
    await release(store, 'exact', { factor: 3 }, 'stable', INT8, { routing: { variant: 'fp32' } });
    await release(store, 'one', FP32);
    expect(told((await infer(app, 'both')).headers)).toEqual({ variants: ['int8', 'fp32'] });
    expect(told((await infer(app, 'exact')).headers)).toEqual({ variants: ['fp32', 'int8'] });
    expect(told((await infer(app, 'one')).headers)).toBeUndefined();
  });

  it('of no choice where both together would take more than half of the memory', async () => {
    // 2.5 times the bytes of its file is what a model takes.
    const of = async (sessionBytes: number) => {
      const { app, store } = createFixture({ config: { sessionBytes } });
      await release(store, 'm', { factor: 2, size: 1_000 }, 'stable', { factor: 8, size: 600 });
      return told((await infer(app, 'm')).headers)?.variants;
    };
    expect(await of(2 * 2.5 * 1_600)).toEqual(['int8', 'fp32']);
    expect(await of(2 * 2.5 * 1_600 - 1)).toBeUndefined();
  });

  it('what the release says of its requests, with answers and with metadata alone', async () => {
    const { app, store } = createFixture();
    const routing = { target: 'edge', exclude: ['cloud-us'], deadlineMs: 200, costCeiling: 1.5 };
    await release(store, 'm', FP32, 'stable', undefined, { routing });
    const asked = await app.request('/v2/models/m', { method: 'HEAD' });
    expect([asked.status, told(asked.headers)]).toEqual([200, routing]);
    expect(told((await infer(app, 'm')).headers)).toEqual(routing);
    expect(told((await app.request('/v2/models/m/versions/1')).headers)).toEqual(routing);
    expect(told((await infer(app, 'unknown')).headers)).toBeUndefined();
  });
});
