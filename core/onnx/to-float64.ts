/**
 * A float32 graph in float64: to have a second opinion about it. Every float32 value becomes float64; a node whose
 * operator the runtime does not compute in float64 stays float32 between casts.
 */
import { DTYPES, type DType } from '../tensors/dtypes.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { attribute, intAttribute } from './attributes.ts';
import { nodeProto, valueInfo } from './builder.ts';
import { checkModel, isDefaultDomain } from './check.ts';
import type { Model } from './model.ts';
import { readsOf, renameNode } from './names.ts';
import type { NodeProto, TensorProto } from './proto.ts';
import { signatureOf } from './signature.ts';
import { tensorProto, tensorValue } from './tensor.ts';

/**
 * Asks the runtime for a node's kernel.
 * @param inputs types of what it reads
 * @returns element types of its outputs by name, undefined where there is no kernel for these inputs
 */
export type KernelOf = (
  node: NodeProto,
  inputs: readonly TensorSpec[],
  model: Model,
) => Promise<ReadonlyMap<string, DType> | undefined>;

export interface Widened {
  readonly model: Model;
  /** Operators that stayed float32, each once. */
  readonly single: readonly string[];
}

const FLOAT = DTYPES.F32.onnx;
const DOUBLE = DTYPES.F64.onnx;

/** @param types of every value in the model */
export async function toFloat64(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  kernelOf: KernelOf,
): Promise<Widened> {
  const { graph } = model;
  const isSingle = (name: string) => types.get(name)?.dtype === 'F32';
  const taken = new Set(types.keys());
  const fresh = (stem: string) => {
    let name = stem;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  };
  const wide = (spec: TensorSpec): TensorSpec => (spec.dtype === 'F32' ? { ...spec, dtype: 'F64' } : spec);
  const nodes: NodeProto[] = [];
  const single = new Set<string>();
  const cast = (from: string, to: string, type: number) =>
    nodes.push(nodeProto('Cast', [from], [to], { to: type }));

  for (const original of graph.node) {
    const node = isCastToFloat(original) ? { ...original, attribute: [attribute('to', DOUBLE)] } : original;
    const reads = readsOf(node);
    const known = [...new Set(reads)].flatMap((name) => types.get(name) ?? []);
    const outputs = await kernelOf(node, known.map(wide), model);
    const narrowed = new Map<string, string>();
    if (outputs === undefined && reads.some(isSingle)) {
      single.add(node.opType);
      for (const name of new Set(reads.filter(isSingle))) {
        const copy = fresh(`${name}.float32`);
        cast(name, copy, FLOAT);
        narrowed.set(name, copy);
      }
    }
    // What comes out as float32 all the same is made wide under the name that others read.
    const widened = node.output.flatMap((name) => {
      const isNarrow = narrowed.size > 0 || outputs?.get(name) !== 'F64';
      if (name === '' || !isSingle(name) || !isNarrow) return [];
      return [[name, fresh(`${name}.float32`)] as const];
    });
    nodes.push(renameNode(node, new Map([...narrowed, ...widened])));
    for (const [name, narrow] of widened) cast(narrow, name, DOUBLE);
  }

  const { inputs, outputs } = signatureOf(model);
  const declared = new Map([...inputs, ...outputs].map((spec) => [spec.name, valueInfo(wide(spec))]));
  return {
    model: checkModel({
      ...model,
      graph: {
        ...graph,
        node: nodes,
        initializer: graph.initializer.map(widen),
        input: graph.input.flatMap((each) => declared.get(each.name) ?? []),
        output: graph.output.map((each) => declared.get(each.name) ?? each),
        valueInfo: [],
      },
    }),
    single: [...single],
  };
}

const isCastToFloat = (node: NodeProto): boolean =>
  isDefaultDomain(node.domain) && node.opType === 'Cast' && intAttribute(node, 'to') === FLOAT;

function widen(tensor: TensorProto): TensorProto {
  if (tensor.dataType !== FLOAT) return tensor;
  const { shape, data } = tensorValue(tensor);
  return tensorProto(tensor.name, { dtype: 'F64', shape, data: Float64Array.from(data as Float32Array) });
}
