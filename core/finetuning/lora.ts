/**
 * Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685) as a graph transform: behind each targeted product y = x·W
 * comes y + (alpha/rank)·(x·A)·B, and only A and B are trained. No gradient of W is ever computed, and what travels
 * between shards is A and B alone.
 */
import { namesIn } from '../autodiff/gradient-graph.ts';
import type { LoraSpec } from '../contracts/lora.ts';
import { Fault } from '../errors.ts';
import { floatAttribute, intAttribute } from '../onnx/attributes.ts';
import { GraphBuilder, nodeProto } from '../onnx/builder.ts';
import { uniformValues } from '../onnx/distributions.ts';
import type { Model } from '../onnx/model.ts';
import type { NodeProto, TensorProto } from '../onnx/proto.ts';
import { tensorProto } from '../onnx/tensor.ts';
import { matchesPattern } from '../patterns.ts';
import { createRandom } from '../random.ts';
import { linearWeights, type LinearWeight } from './linear-weights.ts';

/** The adapter's two factors: A `[inputs, rank]` and B `[rank, outputs]`. */
export const loraA = (weight: string): string => `${weight}.lora_A`;
export const loraB = (weight: string): string => `${weight}.lora_B`;

/** The stream of random numbers that adapters start from: 'lora' in ASCII. */
const STREAM = 0x6c6f7261;

export interface AdaptedModel {
  readonly model: Model;
  /** The adapters' initializers, which are what is to be trained: A and B of each weight. */
  readonly parameters: readonly string[];
}

/**
 * @param roots values that the loss is computed from; what they do not depend on is not adapted
 * @param freeze patterns of weights that are to stay as they are
 * @throws Fault `unprocessable` where a pattern matches no weight, naming those there are
 */
export function loraTargets(
  model: Model,
  { target }: Pick<LoraSpec, 'target'>,
  roots: readonly string[],
  freeze: readonly string[] = [],
): LinearWeight[] {
  const weights = linearWeights(model, roots).filter(
    ({ name }) => !freeze.some((pattern) => matchesPattern(pattern, name)),
  );
  const idle = target.find((pattern) => !weights.some(({ name }) => matchesPattern(pattern, name)));
  if (idle !== undefined) {
    const there =
      weights.length === 0
        ? 'there is no float32 matrix that only MatMul or Gemm multiply by and that is not frozen'
        : `LoRA can adapt ${weights.map(({ name }) => name).join(', ')}`;
    throw new Fault('unprocessable', `lora.target: nothing matches ${idle}; ${there}`, {
      field: 'lora.target',
    });
  }
  return weights.filter(({ name }) => target.some((pattern) => matchesPattern(pattern, name)));
}

/**
 * A starts uniform in ±1/√inputs, as the authors' code has it (Kaiming's bound with a = √5), B at zero: the adapted
 * graph computes at first what the model does. Inputs and outputs keep their names; the base is shared, not copied.
 * @param seed 0 to 2^32 - 1; the same one gives the same adapters
 * @param roots see {@link loraTargets}
 * @param freeze see {@link loraTargets}
 * @throws Fault `unprocessable` where a pattern matches no weight, or the model has values of the adapters' names
 */
export function addAdapters(
  model: Model,
  spec: LoraSpec,
  seed: number,
  roots: readonly string[],
  freeze: readonly string[] = [],
): AdaptedModel {
  const weights = loraTargets(model, spec, roots, freeze);
  const parameters = weights.flatMap(({ name }) => [loraA(name), loraB(name)]);
  const existing = new Set(namesIn(model));
  const taken = parameters.find((name) => existing.has(name));
  if (taken !== undefined)
    throw new Fault('unprocessable', `the model has a value called ${taken} already`, { field: 'lora' });

  const names = new GraphBuilder([...existing, ...parameters]);
  const scale = spec.alpha / spec.rank;
  const scaleName = names.fresh('lora.scale');
  const weightOf = new Map(
    weights.flatMap((weight) => weight.products.map((node) => [node, weight] as const)),
  );
  const node = model.graph.node.flatMap((each) => {
    const weight = weightOf.get(each);
    if (weight === undefined) return [each];
    const fresh = (stem: string) => names.fresh(`${weight.name}.${stem}`);
    return each.opType === 'Gemm'
      ? adaptedGemm(each, weight.name, scale, fresh)
      : adaptedMatMul(each, weight.name, scaleName, fresh);
  });
  const initializer = [
    ...model.graph.initializer,
    tensorProto(scaleName, { dtype: 'F32', shape: [], data: Float32Array.of(scale) }),
    ...weights.flatMap((weight, index) => factors(weight, spec.rank, seed, index)),
  ];
  return { model: { ...model, graph: { ...model.graph, node, initializer } }, parameters };
}

function factors(
  { name, inputs, outputs }: LinearWeight,
  rank: number,
  seed: number,
  index: number,
): TensorProto[] {
  const random = createRandom(seed, STREAM, index);
  const a = uniformValues(inputs * rank, 1 / Math.sqrt(inputs), random);
  return [
    tensorProto(loraA(name), { dtype: 'F32', shape: [inputs, rank], data: a }),
    tensorProto(loraB(name), {
      dtype: 'F32',
      shape: [rank, outputs],
      data: new Float32Array(rank * outputs),
    }),
  ];
}

type Fresh = (stem: string) => string;

/** Of whatever rank x is. The scaling comes where there are fewest elements. */
function adaptedMatMul(node: NodeProto, weight: string, scale: string, fresh: Fresh): NodeProto[] {
  const [x = ''] = node.input;
  const [base, down, scaled, up] = [fresh('base'), fresh('down'), fresh('scaled'), fresh('up')];
  return [
    { ...node, output: [base] },
    nodeProto('MatMul', [x, loraA(weight)], [down]),
    nodeProto('Mul', [down, scale], [scaled]),
    nodeProto('MatMul', [scaled, loraB(weight)], [up]),
    nodeProto('Add', [base, up], node.output),
  ];
}

/** Gemm's alpha belongs to the product, so to its update too. The sum is the third operand of the second Gemm. */
function adaptedGemm(node: NodeProto, weight: string, scale: number, fresh: Fresh): NodeProto[] {
  const [x = ''] = node.input;
  const [base, down] = [fresh('base'), fresh('down')];
  const transA = intAttribute(node, 'transA', 0);
  const alpha = { float: floatAttribute(node, 'alpha', 1) * scale };
  return [
    { ...node, output: [base] },
    nodeProto('Gemm', [x, loraA(weight)], [down], transA === 0 ? {} : { transA }),
    nodeProto('Gemm', [down, loraB(weight), base], node.output, { alpha }),
  ];
}
