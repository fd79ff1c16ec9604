/** A model's gradients against finite differences of the model itself, in float64 as far as the runtime goes. */
import { nativeRuntime } from '../../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../../cloud/adapters/onnxruntime-types.ts';
import {
  checkTensor,
  largestMagnitude,
  type TensorCheck,
  type Verdict,
} from '../../../core/autodiff/gradient-check.ts';
import { valueInfo } from '../../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../../core/onnx/model.ts';
import { prune } from '../../../core/onnx/names.ts';
import { toFloat64 } from '../../../core/onnx/to-float64.ts';
import { upgradeModel } from '../../../core/onnx/upgrade.ts';
import { createRandom } from '../../../core/random.ts';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';
import { nativeKernelOf } from './kernels.ts';
import { bindModel, gradientsOf, initializerValues, type Values } from './model.ts';
import { scalarOutput } from './scalar.ts';

export interface CheckRequest {
  readonly model: Model;
  readonly inputs: Values;
  /** Output to differentiate; see `scalarOutput`. */
  readonly output?: string | undefined;
  /** Elements of each initializer, at most. */
  readonly samples: number;
  /** Largest error allowed, relative to an initializer's largest gradient. */
  readonly tolerance: number;
  readonly seed: number;
}

export interface CheckResult {
  readonly output: string;
  /** The output is no scalar: it was weighted at random and summed. */
  readonly isWeighted: boolean;
  readonly loss: number;
  readonly precision: {
    readonly gradients: 'float32' | 'float64';
    /** Operators whose part of the differences is float32; all else is float64. */
    readonly single: readonly string[];
  };
  readonly initializers: readonly TensorCheck[];
  /** Initializers without a gradient → why. */
  readonly undifferentiable: Readonly<Record<string, string>>;
  readonly verdict: Verdict;
}

/** Of the model's largest gradient: below it, float32 gradients hold little but the rounding of larger ones. */
const SMALLEST_SCALE = 1e-4;

export async function checkGradients(request: CheckRequest): Promise<CheckResult> {
  const { samples, tolerance, seed, inputs } = request;
  const bound = await bindModel(upgradeModel(request.model), inputs);
  const { model, loss, output, isWeighted } = scalarOutput(bound.model, bound.types, request.output, seed);
  const types = isWeighted ? await inferTypes(model) : bound.types;
  const analytic = await gradientsOf({ model, types }, loss, inputs);
  const largest = Math.max(0, ...[...analytic.gradients.values()].map(({ data }) => largestMagnitude(data)));

  const witness = await float64Loss(model, types, loss, inputs);
  try {
    const initializers: TensorCheck[] = [];
    for (const [name, { shape, data }] of analytic.gradients) {
      const argument = witness.arguments.get(name);
      if (argument === undefined) continue;
      const isSingle = types.get(name)?.dtype === 'F32';
      initializers.push(
        await checkTensor({ name, shape, gradient: data, argument, isSingle }, witness.lossOf, {
          samples,
          tolerance,
          smallestScale: SMALLEST_SCALE * (Number.isFinite(largest) ? largest : 0),
          random: createRandom(seed, 2, initializers.length),
        }),
      );
    }
    return {
      output,
      isWeighted,
      loss: analytic.loss,
      precision: {
        gradients: types.get(loss)?.dtype === 'F64' ? 'float64' : 'float32',
        single: witness.single,
      },
      initializers,
      undifferentiable: Object.fromEntries(analytic.undifferentiable),
      verdict: worst(initializers.map((each) => each.verdict)),
    };
  } finally {
    await witness.release();
  }
}

function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('wrong')) return 'wrong';
  return verdicts.includes('unclear') ? 'unclear' : 'ok';
}

interface Witness {
  /** The loss, with the initializers as they stand in `arguments`. */
  readonly lossOf: () => Promise<number>;
  /** Initializers that the loss reads; to be changed in place. */
  readonly arguments: ReadonlyMap<string, Float64Array>;
  readonly single: readonly string[];
  readonly release: () => Promise<void>;
}

/** The graph up to the loss as a float64 function of its initializers. */
async function float64Loss(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  loss: string,
  inputs: Values,
): Promise<Witness> {
  const { graph } = model;
  const forward = prune({
    ...model,
    graph: { ...graph, output: graph.output.filter(({ name }) => name === loss) },
  });
  const { model: wide, single } = await toFloat64(forward, types, nativeKernelOf);
  const feeds: Record<string, TensorValue> = {};
  for (const [name, value] of Object.entries(inputs)) feeds[name] = widened(value);
  const copies = new Map<string, Float64Array>();
  for (const [name, { shape, data }] of initializerValues(wide)) {
    const copy = Float64Array.from(data as Float64Array);
    copies.set(name, copy);
    feeds[name] = { dtype: 'F64', shape, data: copy };
  }
  const parameters = [...copies.keys()].map(
    (name) => ({ name, dtype: 'F64', shape: feeds[name]!.shape }) as const,
  );
  const session = await nativeRuntime().load(
    encodeModel({
      ...wide,
      graph: {
        ...wide.graph,
        input: [...wide.graph.input, ...parameters.map(valueInfo)],
        initializer: wide.graph.initializer.filter((tensor) => !copies.has(tensor.name)),
      },
    }),
  );
  return {
    single,
    arguments: copies,
    lossOf: async () => Number((await session.run(feeds, [loss]))[loss]!.data[0]),
    release: () => session.release(),
  };
}

const widened = (value: TensorValue): TensorValue =>
  value.dtype === 'F32'
    ? { ...value, dtype: 'F64', data: Float64Array.from(value.data as Float32Array) }
    : value;
