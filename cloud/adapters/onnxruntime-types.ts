/** Types and shapes of every value in a model, by ONNX Runtime's own inference. */
import { specOf } from '../../core/inference/onnxruntime.ts';
import { isDefaultDomain } from '../../core/onnx/check.ts';
import { foldIntegers } from '../../core/onnx/fold.ts';
import { valueInfo } from '../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import type { GraphProto, NodeProto, TensorProto } from '../../core/onnx/proto.ts';
import { DTYPES, dtypeOfOnnx } from '../../core/tensors/dtypes.ts';
import { elementCount, type TensorSpec } from '../../core/tensors/tensor.ts';
import { createSession } from './onnxruntime-session.ts';

/** The runtime infers nothing for GroupNormalization, and so nothing after it: its result is typed as its input. */
const typed = (node: NodeProto): NodeProto =>
  node.opType === 'GroupNormalization' && isDefaultDomain(node.domain)
    ? { ...node, opType: 'Identity', input: node.input.slice(0, 1), attribute: [] }
    : node;

/** Elements from which a float32 initializer holds weights: nothing that a shape could depend on. */
const WEIGHTS = 1024;

/** Weights tell nothing about types: as inputs they are declared, and not copied into the runtime. */
function withoutWeights(graph: GraphProto): GraphProto {
  const declared = new Set(graph.input.map((input) => input.name));
  const isWeights = ({ dataType, dims }: TensorProto) =>
    dataType === DTYPES.F32.onnx && elementCount(dims) >= WEIGHTS;
  const weights = graph.initializer.filter(isWeights);
  const inputs = weights
    .filter(({ name }) => !declared.has(name))
    .map(({ name, dims }) => valueInfo({ name, dtype: 'F32', shape: dims }));
  return {
    ...graph,
    input: [...graph.input, ...inputs],
    initializer: graph.initializer.filter((tensor) => !isWeights(tensor)),
  };
}

/**
 * The runtime does not follow every computation on shapes that exporters write (a slice's end as a dimension divided
 * by three): those are folded and it infers again, until nothing new is known.
 * @returns by value name; values that are no tensor of our element types are left out
 * @throws Fault `unprocessable` where the runtime refuses the model, with its reason
 */
export async function inferTypes(model: Model): Promise<Map<string, TensorSpec>> {
  let known = model;
  for (;;) {
    const types = await typesAsWritten(known);
    const folded = foldIntegers(known, types);
    if (folded === known) return types;
    known = folded;
  }
}

/**
 * Every intermediate value is declared an output without a type, which the runtime fills in when it creates the
 * session, and optimization is off so that none disappears. Symbolic dimensions keep their names.
 */
async function typesAsWritten(model: Model): Promise<Map<string, TensorSpec>> {
  const { graph } = model;
  const declared = new Set(graph.output.map((output) => output.name));
  const hidden = graph.node
    .flatMap((node) => node.output)
    .filter((name) => name !== '' && !declared.has(name));
  const output = [...graph.output, ...hidden.map((name) => ({ name, docString: '' }))];
  const given = withoutWeights(graph);
  const session = await createSession(
    encodeModel({ ...model, graph: { ...given, node: given.node.map(typed), output } }),
    { optimize: false },
  );
  const types = new Map<string, TensorSpec>();
  try {
    for (const metadata of [...session.inputMetadata, ...session.outputMetadata]) {
      const spec = specOf(metadata);
      if (spec !== undefined) types.set(spec.name, spec);
    }
  } finally {
    await session.release();
  }
  for (const { name, dataType, dims } of graph.initializer) {
    const dtype = dtypeOfOnnx(dataType ?? 0);
    if (dtype !== undefined) types.set(name, { name, dtype, shape: dims });
  }
  return types;
}
