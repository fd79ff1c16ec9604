/**
 * Operators that do something else while training than when serving, made ready for a training graph.
 *
 * - Dropout draws its mask from noise that is fed in, not from the runtime's own generator: that one goes on from run to
 *   run, so that a task done twice would not give the same bits.
 * - BatchNormalization by the statistics of the batch keeps running ones, which are what serves later. They are not
 *   trained but assigned: the forward pass computes their next values.
 */
import { Fault } from '../errors.ts';
import { intAttribute } from '../onnx/attributes.ts';
import { nodeProto } from '../onnx/builder.ts';
import { isDefaultDomain, nodeLabel } from '../onnx/check.ts';
import { constantsOf } from '../onnx/fold.ts';
import type { NodeProto, TensorProto } from '../onnx/proto.ts';
import { tensorProto } from '../onnx/tensor.ts';
import { DTYPES } from '../tensors/dtypes.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import type { Forward } from './paths.ts';

/** Inputs of a BatchNormalization node that hold running statistics, and the outputs with their next values. */
const STATISTICS = [
  { input: 3, output: 1 },
  { input: 4, output: 2 },
] as const;

/** A running statistic: an initializer, and the value that takes its place after a batch. */
export interface Statistic {
  readonly name: string;
  readonly next: string;
}

export interface TrainingMode {
  readonly forward: Forward;
  /** Inputs to feed with uniform random numbers in [0, 1), F32, as many rows as the batch. */
  readonly noise: readonly TensorSpec[];
  readonly statistics: readonly Statistic[];
}

const isBatchNormalization = ({ domain, opType }: NodeProto) =>
  isDefaultDomain(domain) && opType === 'BatchNormalization';

const isTraining = (node: NodeProto) => intAttribute(node, 'training_mode', 0) === 1;

/** Names of all running statistics, in use or kept up: initializers that no gradient must change. */
export function runningStatistics(nodes: readonly NodeProto[]): Set<string> {
  const names = nodes
    .filter(isBatchNormalization)
    .flatMap((node) => STATISTICS.map(({ input }) => node.input[input] ?? ''));
  return new Set(names);
}

/**
 * @param noiseName the name of the k-th noise input
 * @throws Fault `unprocessable` for a Dropout whose ratio is computed, or whose shape is not a batch of known rows
 */
export function trainingMode(forward: Forward, noiseName: (k: number) => string): TrainingMode {
  const constant = constantsOf(forward);
  const initializers: TensorProto[] = [...forward.initializers];
  const types = new Map(forward.types);
  const noise: TensorSpec[] = [];
  const statistics: Statistic[] = [];
  const known = new Set(forward.initializers.map(({ name }) => name));

  function dropout(node: NodeProto): readonly NodeProto[] {
    const [x = '', ratioName = '', training = ''] = node.input;
    const [y = '', mask = ''] = node.output;
    const isOn = training !== '' && Number(constant(training)?.data[0] ?? 1) !== 0;
    if (!isOn) return [node];
    const ratio = ratioName === '' ? 0.5 : Number(constant(ratioName)?.data[0] ?? NaN);
    if (!(ratio >= 0 && ratio < 1))
      throw new Fault('unprocessable', `${nodeLabel(node)}: its ratio must be a constant from 0 to below 1`, {
        field: 'model',
      });
    const spec = types.get(x);
    const [batch, ...perRow] = spec?.shape ?? [];
    const isBatch = typeof batch === 'string' && perRow.every((size) => typeof size === 'number');
    if (spec === undefined || !isBatch)
      throw new Fault(
        'unprocessable',
        `${nodeLabel(node)}: its input is [${spec?.shape.join(', ') ?? ''}]; to train with dropout the first dimension must be the batch and the others known`,
        { field: 'model' },
      );
    const name = noiseName(noise.length);
    noise.push({ name, dtype: 'F32', shape: spec.shape });
    const constantOf = (part: string, value: number, dtype: 'F32' | 'F64' = 'F32') => {
      const data = dtype === 'F32' ? Float32Array.of(value) : Float64Array.of(value);
      initializers.push(tensorProto(`${y}.${part}`, { dtype, shape: [], data }));
      types.set(`${y}.${part}`, { name: `${y}.${part}`, dtype, shape: [] });
      return `${y}.${part}`;
    };
    const value = (part: string, dtype: TensorSpec['dtype']) => {
      types.set(`${y}.${part}`, { name: `${y}.${part}`, dtype, shape: spec.shape });
      return `${y}.${part}`;
    };
    const kept = mask === '' ? value('kept', 'BOOL') : mask;
    const float = spec.dtype === 'F64' ? 'F64' : 'F32';
    const factor = value('factor', float);
    const scaled = value('scaled', float);
    return [
      nodeProto('GreaterOrEqual', [name, constantOf('ratio', ratio)], [kept]),
      nodeProto('Cast', [kept], [factor], { to: DTYPES[float].onnx }),
      nodeProto('Mul', [factor, constantOf('scale', 1 / (1 - ratio), float)], [scaled]),
      nodeProto('Mul', [x, scaled], [y]),
    ];
  }

  function batchNormalization(node: NodeProto): NodeProto {
    const output = [...node.output];
    for (const { input, output: at } of STATISTICS) {
      const name = node.input[input] ?? '';
      if (!known.has(name)) continue;
      while (output.length <= at) output.push('');
      if (output[at] === '') output[at] = `${output[0]}.${input === 3 ? 'mean' : 'variance'}`;
      const next = output[at]!;
      types.set(next, { ...types.get(name)!, name: next });
      statistics.push({ name, next });
    }
    return { ...node, output };
  }

  const nodes = forward.nodes.flatMap((node) => {
    if (isBatchNormalization(node) && isTraining(node)) return [batchNormalization(node)];
    return isDefaultDomain(node.domain) && node.opType === 'Dropout' ? dropout(node) : [node];
  });
  return { forward: { nodes, initializers, types }, noise, statistics };
}

/** The graph as it serves: BatchNormalization by its running statistics, and no Dropout. Names stay as they are. */
export function servingMode(nodes: readonly NodeProto[]): NodeProto[] {
  return nodes.map((node) => {
    if (isBatchNormalization(node) && isTraining(node)) {
      const attribute = node.attribute.filter(({ name }) => name !== 'training_mode');
      return { ...node, attribute, output: node.output.slice(0, 1) };
    }
    if (!isDefaultDomain(node.domain) || node.opType !== 'Dropout') return node;
    return { ...node, input: node.input.slice(0, 2) };
  });
}
