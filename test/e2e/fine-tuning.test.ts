/** Fine-tuning through the whole stack: a model is trained, adapted by LoRA, and started anew from declared inputs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobResult, TrainRequest } from '../../core/contracts/job.ts';
import type { Release } from '../../core/contracts/release.ts';
import { decodeAdapter } from '../../core/finetuning/adapter-file.ts';
import { mergeAdapters } from '../../core/finetuning/merge-adapters.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import { decodeSafetensors } from '../../core/tensors/safetensors.ts';
import { type Client, createClient } from '../../infra/cli/client.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, temporaryState } from './small-job.ts';

const LORA = { rank: 4, alpha: 8 };

describe('fine-tuning', () => {
  let state: Awaited<ReturnType<typeof temporaryState>>;
  let stack: Stack;
  let client: Client;
  let job: TrainRequest;
  let base: Release;

  const train = async (request: TrainRequest): Promise<JobResult & { readonly status: 'succeeded' }> => {
    const created = await client.createJob(request);
    const result = await client.follow(created.job, () => {});
    if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
    return result;
  };
  const releaseOf = async (model: string, number: number) => {
    const { releases } = await client.releases(model);
    return releases.find(({ release }) => release === number)!;
  };

  beforeAll(async () => {
    state = await temporaryState();
    stack = await startStack({ stateDir: state.path, port: 0 });
    client = createClient(stack.routerUrl);
    job = await prepareSmallJob(stack.store);
    const { release } = await train({ ...job, epochs: 1, optimizer: { kind: 'adam', learningRate: 0.001 } });
    base = await releaseOf('digits', release);
  }, 60_000);
  afterAll(async () => {
    await stack?.stop();
    await state?.remove();
  });

  test(
    'LoRA: adapters alone travel, and the release is the base with them merged',
    { timeout: 60_000 },
    async () => {
      const baseSha = base.variants.fp32.sha256;
      const request = { ...job, model: { name: 'digits', graph: baseSha }, lora: LORA };
      const result = await train(request);
      const release = await releaseOf('digits', result.release);
      expect(release.metrics['accuracy']).toBeGreaterThan(base.metrics['accuracy']! + 0.02);
      expect(release.signature).toEqual(base.signature);
      expect(base.adapter).toBeUndefined();

      // 2 weights, A and B of each, and Adam's two slots: 12 bytes a parameter.
      const parameters = LORA.rank * (784 + 32 + 32 + 10);
      const { objects } = await stack.store.list(`jobs/${result.job}/rounds/0/shards/`);
      expect(objects).toHaveLength(4);
      for (const { key } of objects) {
        const bytes = (await stack.store.get(key))!.body;
        const names = [...decodeSafetensors(bytes).tensors.keys()];
        expect(names.filter((name) => !/lora_[AB]$/.test(name))).toEqual([]);
        expect(bytes.length).toBeGreaterThan(12 * parameters);
        expect(bytes.length).toBeLessThan(12 * parameters + 2_000);
      }

      const { adapter } = release;
      expect(adapter).toMatchObject({ ...LORA, base: baseSha });
      const file = await getBlob(stack.store, adapter!.sha256);
      expect(file).toHaveLength(adapter!.bytes);
      const { tensors, ...about } = decodeAdapter(file);
      expect(about).toEqual({ ...LORA, base: baseSha });
      const values = new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
      const forward = decodeModel(await getBlob(stack.store, baseSha));
      const released = await getBlob(stack.store, release.variants.fp32.sha256);
      expect(encodeModel(mergeAdapters(forward, LORA, values))).toEqual(released);
      const bias = (bytes: Uint8Array) =>
        decodeModel(bytes).graph.initializer.filter(({ name }) => name.endsWith('.bias'));
      expect(bias(released)).toEqual(bias(encodeModel(forward)));

      expect((await train(request)).graph).toBe(result.graph);
    },
  );

  test('LoRA beside a new last layer, which is trained whole', { timeout: 60_000 }, async () => {
    const result = await train({
      ...job,
      model: { name: 'digits', graph: base.variants.fp32.sha256 },
      lora: { ...LORA, target: ['layer1.*'] },
      parameters: {
        initialize: [{ match: 'layer2.*', with: 'kaiming' }],
        train: ['layer2.*'],
        weightDecay: [{ match: '*.lora_?', value: 0.01 }],
      },
    });
    const { adapter, metrics } = await releaseOf('digits', result.release);
    expect(metrics['accuracy']).toBeGreaterThan(base.metrics['accuracy']!);
    const file = decodeAdapter(await getBlob(stack.store, adapter!.sha256));
    expect([...file.tensors.keys()]).toEqual([
      'layer2.weight',
      'layer2.bias',
      'layer1.weight.lora_A',
      'layer1.weight.lora_B',
    ]);
    // The base has the new layer: with it the adapter is the release.
    expect(file.base).not.toBe(base.variants.fp32.sha256);
    const values = new Map([...file.tensors].map(([name, { data }]) => [name, data as Float32Array]));
    const forward = decodeModel(await getBlob(stack.store, file.base));
    const released = await getBlob(stack.store, result.graph);
    expect(encodeModel(mergeAdapters(forward, LORA, values))).toEqual(released);
  });

  test(
    'parameters declared as inputs are initialized, trained and released',
    { timeout: 60_000 },
    async () => {
      const graph = new GraphBuilder(['probabilities']);
      graph.input({ name: 'image', dtype: 'F32', shape: ['batch', 784] });
      graph.input({ name: 'W', dtype: 'F32', shape: [10, 784] });
      graph.input({ name: 'c', dtype: 'F32', shape: [10] });
      graph.op(
        'Softmax',
        [graph.op('Gemm', ['image', 'W', 'c'], { transB: 1 })],
        { axis: -1 },
        'probabilities',
      );
      graph.output({ name: 'probabilities', dtype: 'F32', shape: ['batch', 10] });
      const bytes = encodeModel(graph.build('regression'));
      const result = await train({
        ...job,
        model: { name: 'regression', graph: await putBlob(stack.store, bytes) },
        parameters: { initialize: [{ match: '*', with: 'xavier' }] },
      });
      expect(result.metrics['accuracy']).toBeGreaterThan(0.8);
      const release = await releaseOf('regression', result.release);
      expect(release.signature.inputs.map(({ name }) => name)).toEqual(['image']);
      const released = decodeModel(await getBlob(stack.store, result.graph));
      const trained = released.graph.initializer.find(({ name }) => name === 'c')!;
      expect(Array.from(tensorValue(trained).data, Number).every((value) => value !== 0)).toBe(true);
    },
  );

  test('what cannot be fine-tuned is refused when it is asked for', async () => {
    const refused = async (change: Partial<TrainRequest>) => client.createJob({ ...job, ...change });
    await expect(refused({ lora: { ...LORA, target: ['*.query.*'] } })).rejects.toMatchObject({
      code: 'unprocessable',
      field: 'lora.target',
      message: expect.stringMatching(/layer1\.weight, layer2\.weight/),
    });
    await expect(refused({ lora: { rank: 0, alpha: 1 } })).rejects.toMatchObject({ field: 'lora.rank' });
    const initialize = [{ match: 'layer7.*', with: 'zeros' as const }];
    await expect(refused({ parameters: { initialize } })).rejects.toMatchObject({
      field: 'parameters.initialize[0].match',
    });
  });
});
