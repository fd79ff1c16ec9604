/** A model that reads rows as a dataset stores them: the runtime casts and divides in a fraction of JavaScript's time. */
import { type DType, DTYPES } from '../tensors/dtypes.ts';
import { nodeProto, valueInfo } from './builder.ts';
import type { Model } from './model.ts';
import { namesOf, renameNode } from './names.ts';
import type { NodeProto, TensorProto } from './proto.ts';
import { signatureOf } from './signature.ts';
import { tensorProto } from './tensor.ts';

export interface StoredInput {
  readonly dtype: DType;
  /** What the model reads is the stored value divided by this. */
  readonly divisor?: number | undefined;
}

/** Every value of these types is a float32 too. */
const EXACT: ReadonlySet<DType> = new Set(['U8', 'I8', 'U16', 'I16']);

/**
 * Whether the graph would come to the same bits as a division in float64 that is then rounded: for operands that
 * float32 holds exactly it does, since float64 has more than twice its digits (Figueroa 1995, "When is double rounding
 * innocuous?").
 */
const isExact = ({ dtype, divisor = 1 }: StoredInput) => EXACT.has(dtype) && Math.fround(divisor) === divisor;

/**
 * @param stored model input → how its rows are stored
 * @returns the model, and which of its float32 inputs it now takes as they are stored. The others stay as they are,
 * among them those that are also outputs.
 */
export function withStoredInputs(
  model: Model,
  stored: Readonly<Record<string, StoredInput>>,
): { readonly model: Model; readonly inputs: ReadonlySet<string> } {
  const { graph } = model;
  const outputs = new Set(graph.output.map(({ name }) => name));
  const taken = namesOf(graph);
  const fresh = (stem: string) => {
    let name = stem;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  };
  const renamed = new Map<string, string>();
  const declared = new Map<string, ReturnType<typeof valueInfo>>();
  const node: NodeProto[] = [];
  const initializer: TensorProto[] = [];
  for (const { name, dtype, shape } of signatureOf(model).inputs) {
    const as = stored[name];
    if (as === undefined || dtype !== 'F32' || outputs.has(name) || !isExact(as)) continue;
    declared.set(name, valueInfo({ name, dtype: as.dtype, shape }));
    const cast = fresh(`${name}.cast`);
    node.push(nodeProto('Cast', [name], [cast], { to: DTYPES.F32.onnx }));
    if ((as.divisor ?? 1) === 1) {
      renamed.set(name, cast);
      continue;
    }
    const [divisor, divided] = [fresh(`${name}.divisor`), fresh(`${name}.divided`)];
    initializer.push(
      tensorProto(divisor, { dtype: 'F32', shape: [], data: Float32Array.of(as.divisor ?? 1) }),
    );
    node.push(nodeProto('Div', [cast, divisor], [divided]));
    renamed.set(name, divided);
  }
  return {
    inputs: new Set(declared.keys()),
    model: {
      ...model,
      graph: {
        ...graph,
        input: graph.input.map((input) => declared.get(input.name) ?? input),
        node: [...node, ...graph.node.map((each) => renameNode(each, renamed))],
        initializer: [...graph.initializer, ...initializer],
      },
    },
  };
}
