import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { blobKey } from '../../core/contracts/keys.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { createRandom } from '../../core/random.ts';
import { signToken } from '../../core/security/token.ts';
import { sha256Hex } from '../../core/storage/blobs.ts';
import type { TensorSpec } from '../../core/tensors/tensor.ts';
import {
  type InferenceFixture,
  releaseFile,
  releaseMlp,
  startInference,
  type Target,
} from './inference-fixture.ts';

/** A new release must serve this soon, in milliseconds. */
const FRESH_WITHIN_MS = 5_000;
const PIXELS = 784;
const IMAGE: TensorSpec = { name: 'image', dtype: 'F32', shape: ['batch', PIXELS] };

let fixture: InferenceFixture;
let targets: readonly Target[];
beforeAll(async () => {
  fixture = await startInference();
  targets = [fixture.edge, fixture.cloud];
});
afterAll(() => fixture.stop());

interface InferJson {
  readonly model_version: string;
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

const post = (target: Target, path: string, body: unknown, type = 'application/json') =>
  target.fetch(`/v2/models/${path}/infer`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const images = (count: number) => {
  const random = createRandom(7);
  return Float32Array.from({ length: count * PIXELS }, () => Math.fround(random.below(256) / 255));
};
const request = (data: Float32Array, extra: object = {}) => ({
  inputs: [{ name: 'image', shape: [data.length / PIXELS, PIXELS], datatype: 'FP32', data: [...data] }],
  ...extra,
});

const labels = (probabilities: ArrayLike<number>) =>
  Array.from({ length: probabilities.length / 10 }, (_, row) => {
    const scores = Array.from({ length: 10 }, (_unused, label) => probabilities[row * 10 + label]!);
    return scores.indexOf(Math.max(...scores));
  });

describe('both targets', () => {
  it('survive a file that is no model, even as the first they ever load', async () => {
    const junk = new TextEncoder().encode('this is no ONNX file');
    await releaseFile(fixture.store, 'junk', junk, { inputs: [IMAGE], outputs: [] });
    await releaseMlp(fixture.store, 'sturdy', 8);
    for (const target of targets) {
      const refused = await post(target, 'junk', request(images(1)));
      expect(refused.status, target.name).toBe(503);
      const { error } = (await refused.json()) as { error: string };
      expect(error).toMatch(/^release 1 of junk cannot be loaded: the model cannot be run/);
      expect((await post(target, 'sturdy', request(images(3)))).status).toBe(200);
    }
  });

  it('agree with onnxruntime-node, and with each other on every byte but the numbers', async () => {
    const { file } = await releaseMlp(fixture.store, 'digits', 1);
    const session = await nativeRuntime().load(file);
    const data = images(64);
    const expected = await session.run({ image: { dtype: 'F32', shape: [64, PIXELS], data } }, [
      'probabilities',
    ]);
    await session.release();
    const reference = expected['probabilities']!.data as Float32Array;

    const shapes: string[] = [];
    for (const target of targets) {
      const response = await post(target, 'digits', request(data, { id: 'x"1' }));
      expect(response.status, target.name).toBe(200);
      const text = await response.text();
      const [output] = (JSON.parse(text) as InferJson).outputs;
      const actual = output!.data;
      expect(actual).toHaveLength(reference.length);
      const distance = Math.max(...actual.map((value, i) => Math.abs(value - reference[i]!)));
      expect(distance, target.name).toBeLessThan(1e-6);
      expect(labels(actual)).toEqual(labels(reference));
      shapes.push(text.replace(/"data":\[[^\]]*\]/, '"data":[]'));
    }
    expect(shapes[0]).toBe(
      '{"model_name":"digits","model_version":"1","id":"x\\"1","outputs":[{"name":"probabilities",' +
        '"shape":[64,10],"datatype":"FP32","data":[]}]}',
    );
    expect(shapes[1]).toBe(shapes[0]);
  });

  it('serve the variant they prefer: the edge int8, the cloud fp32, each as onnxruntime-node runs that file', async () => {
    const file = buildMlp({ inputs: PIXELS, hidden: [128], classes: 10, seed: 9, inputName: 'image' });
    const model = decodeModel(file);
    const { model: quantized, rewritten } = quantize(model);
    expect(rewritten).toBe(1);
    const int8 = encodeModel(quantized);
    await releaseFile(fixture.store, 'small', file, signatureOf(model), int8);

    const data = images(32);
    const reference = async (bytes: Uint8Array<ArrayBuffer>) => {
      const session = await nativeRuntime().load(bytes);
      const fed = { image: { dtype: 'F32' as const, shape: [32, PIXELS], data } };
      const { probabilities } = await session.run(fed, ['probabilities']);
      await session.release();
      return probabilities!.data as Float32Array;
    };
    const expected = { fp32: await reference(file), int8: await reference(int8) };
    const answered = async (target: Target) => {
      const response = await post(target, 'small', request(data));
      expect(response.status).toBe(200);
      const [output] = ((await response.json()) as InferJson).outputs;
      return { variant: response.headers.get('x-causeway-variant'), data: output!.data };
    };
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
    const [edge, cloud] = [await answered(fixture.edge), await answered(fixture.cloud)];
    expect([edge.variant, cloud.variant]).toEqual(['int8', 'fp32']);
    expect(distance(edge.data, expected.int8)).toBeLessThan(1e-5);
    expect(distance(cloud.data, expected.fp32)).toBeLessThan(1e-6);
    expect(distance(edge.data, expected.fp32)).toBeLessThan(0.02);
    // The variants do differ, by more than the runtimes do: it is not the float32 file that answered.
    expect(distance(edge.data, expected.fp32)).toBeGreaterThan(1e-4);
  });

  it('refuse an int8 file whose bytes were altered, where they serve it', async () => {
    const file = buildMlp({ inputs: PIXELS, hidden: [128], classes: 10, seed: 10, inputName: 'image' });
    const int8 = encodeModel(quantize(decodeModel(file)).model);
    await releaseFile(fixture.store, 'altered8', file, signatureOf(decodeModel(file)), int8);
    const altered = int8.slice();
    altered[altered.length - 5]! ^= 1;
    await fixture.store.put(blobKey(await sha256Hex(int8)), altered);
    const refused = await post(fixture.edge, 'altered8', request(images(1)));
    expect(refused.status).toBe(500);
    expect(((await refused.json()) as { error: string }).error).toMatch(/is corrupt/);
    expect((await post(fixture.cloud, 'altered8', request(images(1)))).status).toBe(200);
  });

  it('report themselves in headers: cold once, then warm', async () => {
    await releaseMlp(fixture.store, 'headers', 2);
    for (const target of targets) {
      const cold: (string | null)[] = [];
      for (let i = 0; i < 2; i++) {
        const { headers } = await post(target, 'headers', request(images(1)));
        cold.push(headers.get('x-causeway-cold'));
        expect(headers.get('x-causeway-in-flight')).toBe('1');
        expect(headers.get('x-causeway-release')).toBe('1');
        expect(Number(headers.get('x-causeway-service-ms'))).toBeGreaterThanOrEqual(0);
      }
      expect(cold, target.name).toEqual(['1', '0']);
    }
  });

  it('answer everything else alike, metadata and faults', async () => {
    await releaseMlp(fixture.store, 'alike', 3);
    const good = request(images(1));
    const bad: readonly (readonly [path: string, body: unknown, status: number, type?: string])[] = [
      ['alike', '{', 400],
      ['alike', { ...good, surprise: 1 }, 400],
      ['alike', { inputs: [{ ...good.inputs[0], shape: [1, 28, 28] }] }, 400],
      ['alike', { inputs: [{ ...good.inputs[0], data: [null] }] }, 400],
      ['alike', { ...good, outputs: [{ name: 'nope' }] }, 400],
      ['alike/versions/9', good, 404],
      ['nothing', good, 404],
      ['alike', ' '.repeat(4 * 1024 * 1024 + 1), 413],
      ['alike', good, 415, 'text/plain'],
    ];
    const paths = ['/v2/models/alike', '/v2/models/alike/versions/1/ready', '/v2/health/ready', '/v2/nope'];
    const answers: unknown[][] = [];
    for (const target of targets) {
      const heard: unknown[] = [];
      for (const [path, body, status, type] of bad) {
        const response = await post(target, path, body, type);
        const json = await response.json();
        expect(response.status, `${target.name} ${path} ${JSON.stringify(json)}`).toBe(status);
        heard.push(json);
      }
      for (const path of paths) {
        const response = await target.fetch(path);
        heard.push([response.status, await response.json()]);
      }
      answers.push(heard);
    }
    expect(answers[1]).toEqual(answers[0]);
  });

  it('serve a new release within 5 s, without a failed request', async () => {
    await releaseMlp(fixture.store, 'rolling', 4);
    const follow = async (target: Target) => {
      const statuses = new Map<number, number>();
      const body = JSON.stringify(request(images(1)));
      const ask = async () => {
        const response = await post(target, 'rolling', body);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        return ((await response.json()) as Partial<InferJson>).model_version;
      };
      expect(await ask()).toBe('1');
      await published;
      const publishedAt = performance.now();
      while ((await ask()) !== '2')
        expect(performance.now() - publishedAt, target.name).toBeLessThan(FRESH_WITHIN_MS);
      for (let i = 0; i < 50; i++) expect(await ask()).toBe('2');
      expect([...statuses.keys()], target.name).toEqual([200]);
    };
    let publish = () => {};
    const published = new Promise<void>((resolve) => (publish = resolve));
    const following = Promise.all(targets.map(follow));
    await releaseMlp(fixture.store, 'rolling', 5);
    publish();
    await following;
  });

  it('refuse a file whose bytes were altered', async () => {
    const { sha256, file } = await releaseMlp(fixture.store, 'altered', 6);
    const altered = file.slice();
    altered[altered.length - 5]! ^= 1;
    await fixture.store.put(blobKey(sha256), altered);
    for (const target of targets) {
      const response = await post(target, 'altered', request(images(1)));
      expect(response.status).toBe(500);
      expect(((await response.json()) as { error: string }).error).toMatch(/is corrupt/);
    }
  });
});

describe('the Worker', () => {
  /** Large enough that requests for it wait for each other. */
  const releaseWide = (model: string, seed: number) => {
    const file = buildMlp({ inputs: PIXELS, hidden: [1024, 512], classes: 10, seed, inputName: 'image' });
    return releaseFile(fixture.store, model, file, signatureOf(decodeModel(file)));
  };

  it('runs requests at once as batches, and gives each its own rows', async () => {
    const { file } = await releaseWide('wide', 30);
    const requests = 32;
    const data = images(requests);
    const session = await nativeRuntime().load(file);
    const fed = { image: { dtype: 'F32' as const, shape: [requests, PIXELS], data } };
    const { probabilities } = await session.run(fed, ['probabilities']);
    await session.release();
    const reference = probabilities!.data as Float32Array;

    let runs = 0;
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        Array.from({ length: requests }, async (_, i) => {
          const row = request(data.subarray(i * PIXELS, (i + 1) * PIXELS));
          const response = await post(fixture.edge, 'wide', row);
          expect(response.status).toBe(200);
          return { json: (await response.json()) as InferJson, headers: response.headers };
        }),
      );
      for (const [i, { json, headers }] of answers.entries()) {
        const [output] = json.outputs;
        expect(output!.shape).toEqual([1, 10]);
        for (const [label, value] of output!.data.entries())
          expect(Math.abs(value - reference[i * 10 + label]!)).toBeLessThan(1e-5);
        // A run of n rows answers n of these requests.
        runs += 1 / Number(headers.get('x-causeway-batch'));
      }
    }
    expect(Math.round(runs)).toBeCloseTo(runs, 6);
    expect(runs).toBeLessThan(5 * requests);
    const alone = await post(fixture.edge, 'wide', request(data.subarray(0, PIXELS)));
    expect(alone.headers.get('x-causeway-batch')).toBe('1');
  });

  it('loses no batch with clients that go away while they wait in it', async () => {
    await releaseWide('wide', 31);
    const body = JSON.stringify(request(images(1)));
    const ask = (signal?: AbortSignal) =>
      fixture.edge.fetch('/v2/models/wide/infer', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        ...(signal === undefined ? {} : { signal }),
      });
    for (let round = 0; round < 10; round++) {
      const leaving = Array.from({ length: 12 }, (_, i) =>
        // A client may go away before the answer or in the middle of it.
        ask(AbortSignal.timeout(1 + ((round + i) % 6)))
          .then((response) => response.arrayBuffer())
          .catch(() => undefined),
      );
      const staying = await Promise.all(Array.from({ length: 4 }, () => ask()));
      expect(staying.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      await Promise.all([
        ...leaving,
        ...staying.map((response) => response.arrayBuffer().catch(() => undefined)),
      ]);
    }
    const last = await ask();
    expect(last.headers.get('x-causeway-in-flight')).toBe('1');
  });

  it('is not held up by clients that go away, whatever they were waiting for', async () => {
    for (const [round, afterMs] of [0, 1, 3, 10, 30].entries()) {
      await releaseMlp(fixture.store, 'leaving', 20 + round);
      const body = JSON.stringify(request(images(1)));
      const leaving = Array.from({ length: 8 }, () =>
        fixture.edge
          .fetch(`/v2/models/leaving/versions/${round + 1}/infer`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body,
            signal: AbortSignal.timeout(afterMs),
          })
          .then((response) => response.arrayBuffer())
          .catch(() => undefined),
      );
      await Promise.all(leaving);
      const stays = await post(fixture.edge, `leaving/versions/${round + 1}`, body);
      expect(stays.status).toBe(200);
      await stays.arrayBuffer();
    }
    const last = await post(fixture.edge, 'leaving', request(images(1)));
    expect(last.headers.get('x-causeway-in-flight')).toBe('1');
  });
});

describe('the cloud function', () => {
  const bare = async (headers: Record<string, string>) => {
    const response = await fetch(`${fixture.cloudUrl}/v2`, { headers });
    return { status: response.status, body: (await response.json()) as { code?: string } };
  };

  it('refuses whoever does not carry the edge’s token', async () => {
    const wrong = await signToken('another secret', Date.now());
    const expired = await signToken('for this test only', Date.now() - 120_000);
    for (const headers of [
      {},
      { authorization: 'Basic eDp5' },
      { authorization: `Bearer ${wrong}` },
      { authorization: `Bearer ${expired}` },
    ] as Record<string, string>[])
      expect(await bare(headers)).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    expect((await fixture.cloud.fetch('/v2')).status).toBe(200);
  });

  it('batches only where an environment takes several requests at once, as the local one may', async () => {
    await releaseMlp(fixture.store, 'together', 31);
    const own = (i: number) => (i % 3 === 0 ? 2 : 1);
    const data = images(32);
    const bodies = Array.from({ length: 16 }, (_, i) =>
      JSON.stringify(request(data.subarray(2 * i * PIXELS, (2 * i + own(i)) * PIXELS))),
    );
    /** Rows of the runs that answered them, and the answers. */
    const ask = (target: Target) =>
      Promise.all(
        bodies.map(async (body) => {
          const response = await post(target, 'together', body);
          expect(response.status, await response.clone().text()).toBe(200);
          const [output] = ((await response.json()) as InferJson).outputs;
          return { rows: Number(response.headers.get('x-causeway-batch')), data: output!.data };
        }),
      );
    const alone = await ask(fixture.cloud);
    expect(alone.map(({ rows }) => rows)).toEqual(bodies.map((_, i) => own(i)));

    const cloud = await fixture.startCloud(16);
    // The first find out whether rows change each other; how many meet in a run is a matter of time.
    let together = await ask(cloud);
    for (let wave = 0; wave < 50 && together.every(({ rows }, i) => rows === own(i)); wave++)
      together = await ask(cloud);
    expect(Math.max(...together.map(({ rows }) => rows))).toBeGreaterThan(2);
    for (const [i, answer] of together.entries()) {
      expect(answer.data).toHaveLength(own(i) * 10);
      answer.data.forEach((value, at) => expect(value).toBeCloseTo(alone[i]!.data[at]!, 5));
    }
  });
});
