import { describe, expect, it } from 'vitest';
import { decodeAdapter, encodeAdapter } from '../../../core/finetuning/adapter-file.ts';
import { linearWeights } from '../../../core/finetuning/linear-weights.ts';
import { addAdapters, loraA, loraB } from '../../../core/finetuning/lora.ts';
import { mergeAdapters } from '../../../core/finetuning/merge-adapters.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { withInitializers } from '../../../core/onnx/initializers.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { floatsOf, LINEAR_CASES, linearModel } from './models.ts';

const BYTES = buildMlp({ inputs: 6, hidden: [5, 4], classes: 3, seed: 1 });
const MLP = decodeModel(BYTES);
const SPEC = { rank: 2, alpha: 4, target: ['*'] };
const ROOTS = ['probabilities'];
const zeros = (length: number) => new Float32Array(length);

/** x·w1 → y and x·w2 → z; w1 is read in one more way. */
function twice(also: (graph: GraphBuilder) => void) {
  const graph = new GraphBuilder(['y', 'z', 'u']);
  const matrix = { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } as const;
  graph.input({ name: 'x', dtype: 'F32', shape: ['n', 2] });
  graph.initializer('w1', matrix);
  graph.initializer('w2', matrix);
  graph.op('MatMul', ['x', 'w1'], {}, 'y');
  graph.op('MatMul', ['x', 'w2'], {}, 'z');
  graph.output({ name: 'y', dtype: 'F32', shape: ['n', 2] });
  graph.output({ name: 'z', dtype: 'F32', shape: ['n', 2] });
  also(graph);
  return graph.build('twice');
}
const names = (model: ReturnType<typeof twice>, roots = ['y', 'z']) =>
  linearWeights(model, roots).map(({ name }) => name);

describe('linear weights', () => {
  it.each(Object.entries(LINEAR_CASES))('%s: which axis is which', (_, linear) => {
    const [weight, ...others] = linearWeights(linearModel(linear), ['y']);
    expect(others).toEqual([]);
    expect(weight).toMatchObject({ name: 'w', inputs: linear.inputs, outputs: linear.outputs });
    expect(weight!.transposed).toBe(linear.weight[0] !== linear.inputs);
  });

  it('may multiply more than once', () => {
    const model = twice((graph) => graph.op('MatMul', ['y', 'w1'], {}, 'u'));
    expect(linearWeights(model, ['y'])[0]!.products).toHaveLength(2);
  });

  it.each<[string, (graph: GraphBuilder) => void]>([
    ['gathers rows of it', (g) => g.op('Gather', ['w1', g.constant(INDEX)])],
    ['multiplies by its transpose', (g) => g.op('MatMul', ['x', g.op('Transpose', ['w1'])])],
    ['multiplies it from the left', (g) => g.op('MatMul', ['w1', 'w2'])],
    ['adds it', (g) => g.op('Gemm', ['x', 'w2', 'w1'])],
    ['gives it out', (g) => g.output({ name: 'w1', dtype: 'F32', shape: [2, 2] })],
  ])('are not those where the graph also %s', (what, also) => {
    expect(names(twice(also))).not.toContain('w1');
    // Multiplied from the left by w1, w2 stays a weight.
    expect(names(twice(also)), what).toContain('w2');
  });

  it('are only those the roots depend on', () => {
    expect(
      names(
        twice(() => {}),
        ['z'],
      ),
    ).toEqual(['w2']);
  });
});
const INDEX = { dtype: 'I64', shape: [1], data: BigInt64Array.of(0n) } as const;

describe('adding adapters', () => {
  it('adds A and B of each weight, in order, and nothing else to train', () => {
    const { model, parameters } = addAdapters(MLP, SPEC, 0, ROOTS);
    expect(parameters).toEqual(
      ['layer1.weight', 'layer2.weight', 'layer3.weight'].flatMap((name) => [loraA(name), loraB(name)]),
    );
    expect(model.graph.initializer.slice(0, MLP.graph.initializer.length)).toEqual(MLP.graph.initializer);
    const shapes = model.graph.initializer.map(({ name, dims }) => [name, dims]);
    expect(shapes).toContainEqual(['layer2.weight.lora_A', [5, 2]]);
    expect(shapes).toContainEqual(['layer2.weight.lora_B', [2, 4]]);
  });

  it('is the same bytes for a seed, others for another', () => {
    const bytes = (seed: number) => encodeModel(addAdapters(MLP, SPEC, seed, ROOTS).model);
    expect(bytes(3)).toEqual(bytes(3));
    expect(bytes(3)).not.toEqual(bytes(4));
  });

  it('starts A within ±1/√inputs, each weight with its own, and B at zero', () => {
    const { model } = addAdapters(MLP, { ...SPEC, rank: 200 }, 0, ROOTS);
    const a = floatsOf(model, 'layer1.weight.lora_A');
    const bound = 1 / Math.sqrt(6);
    expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
    const variance = a.reduce((sum, x) => sum + x * x, 0) / a.length;
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1);
    expect(floatsOf(model, 'layer2.weight.lora_A')[0]).not.toBe(a[0]);
    expect(floatsOf(model, 'layer1.weight.lora_B').every((x) => x === 0)).toBe(true);
  });

  it('takes the weights that some pattern matches', () => {
    const target = ['layer1.*', '*3.weight'];
    const { parameters } = addAdapters(MLP, { ...SPEC, target }, 0, ROOTS);
    expect(parameters.map((name) => name[5])).toEqual(['1', '1', '3', '3']);
  });

  it('leaves frozen weights alone', () => {
    const { parameters } = addAdapters(MLP, SPEC, 0, ROOTS, ['layer1.*', '*3.weight']);
    expect(parameters).toEqual(['layer2.weight.lora_A', 'layer2.weight.lora_B']);
    expect(() => addAdapters(MLP, SPEC, 0, ROOTS, ['*'])).toThrow(
      /lora\.target: nothing matches \*; there is no/,
    );
  });

  it('refuses a pattern that matches nothing, and names what there is', () => {
    const target = ['layer1.*', '*.bias'];
    expect(() => addAdapters(MLP, { ...SPEC, target }, 0, ROOTS)).toThrow(
      /nothing matches \*\.bias; LoRA can adapt layer1\.weight, layer2\.weight, layer3\.weight/,
    );
  });

  it('refuses a model that has such names already', () => {
    const { model } = addAdapters(MLP, SPEC, 0, ROOTS);
    expect(() => addAdapters(model, { ...SPEC, target: ['layer1.weight'] }, 0, ROOTS)).toThrow(
      /called layer1\.weight\.lora_A already/,
    );
  });
});

describe('merging adapters', () => {
  const factors = (rank: number, fill: (length: number) => Float32Array = zeros) =>
    new Map([
      [loraA('layer1.weight'), new Float32Array(6 * rank).fill(0.5)],
      [loraB('layer1.weight'), fill(rank * 5)],
    ]);

  it('leaves the file as it is where B is zero, negative zeros included', () => {
    const weight = floatsOf(MLP, 'layer1.weight').slice();
    weight[3] = -0;
    const base = withInitializers(MLP, new Map([['layer1.weight', weight]]));
    expect(encodeModel(mergeAdapters(base, SPEC, factors(2)))).toEqual(encodeModel(base));
    const ones = factors(2, (length) => new Float32Array(length).fill(1));
    expect(encodeModel(mergeAdapters(base, SPEC, ones))).not.toEqual(encodeModel(base));
  });

  it('takes over what was trained beside them, also a weight that has an adapter', () => {
    const half = (length: number) => new Float32Array(length).fill(0.5);
    const values = new Map([
      ...factors(2, half),
      ['layer1.weight', new Float32Array(30).fill(3)],
      ['layer3.bias', Float32Array.of(1, 2, 3)],
    ]);
    const merged = mergeAdapters(MLP, SPEC, values);
    expect([...floatsOf(merged, 'layer3.bias')]).toEqual([1, 2, 3]);
    // 3 + (alpha / rank) · Σ 0.5 · 0.5 over the rank.
    expect(new Set(floatsOf(merged, 'layer1.weight'))).toEqual(new Set([4]));
    expect(floatsOf(merged, 'layer2.weight')).toEqual(floatsOf(MLP, 'layer2.weight'));
  });

  it('refuses factors of another rank or of no weight', () => {
    expect(() => mergeAdapters(MLP, SPEC, factors(3))).toThrow(/lora_A has 18 elements, not 12/);
    const stray = new Map([...factors(2), [loraA('layer9.weight'), zeros(2)]]);
    expect(() => mergeAdapters(MLP, SPEC, stray)).toThrow(/no initializer layer9\.weight\.lora_A/);
  });
});

describe('adapter file', () => {
  const layout = [
    { name: 'w.lora_A', shape: [2, 1], offset: 0, length: 2 },
    { name: 'w.lora_B', shape: [1, 3], offset: 2, length: 3 },
  ];
  it('holds the factors and what they belong to', () => {
    const flat = Float32Array.of(1, 2, 3, 4, 5);
    const file = decodeAdapter(encodeAdapter(layout, flat, { rank: 1, alpha: 0.1 }, 'ab'.repeat(32)));
    expect(file).toMatchObject({ rank: 1, alpha: 0.1, base: 'ab'.repeat(32) });
    expect(file.tensors.get('w.lora_B')).toEqual({
      dtype: 'F32',
      shape: [1, 3],
      data: Float32Array.of(3, 4, 5),
    });
  });
  it('refuses other safetensors', () => {
    const file = encodeAdapter(layout, new Float32Array(5), { rank: 0, alpha: 1 }, 'x');
    expect(() => decodeAdapter(file)).toThrow(/no LoRA adapter/);
  });
});
