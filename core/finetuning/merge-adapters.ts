import type { LoraSpec } from '../contracts/lora.ts';
import { Fault } from '../errors.ts';
import { withInitializers } from '../onnx/initializers.ts';
import type { Model } from '../onnx/model.ts';
import { tensorValue } from '../onnx/tensor.ts';
import { linearWeights, type LinearWeight } from './linear-weights.ts';
import { loraA, loraB } from './lora.ts';

/**
 * W + (alpha/rank)·A·B in place of each W that has an adapter: the graph the adapters were trained on, without their
 * cost. Sums are float64, rounded once. A weight whose update is zero keeps its bits.
 * @param model the graph the adapters were added to
 * @param values `<weight>.lora_A` and `<weight>.lora_B`, row-major; what has another name is an initializer's new
 *   value, as it was trained beside them
 * @throws Fault `invalid` where a factor is missing, is not of the weight's size and the rank, or has no weight
 */
export function mergeAdapters(
  model: Model,
  spec: Pick<LoraSpec, 'rank' | 'alpha'>,
  values: ReadonlyMap<string, Float32Array>,
): Model {
  const roots = model.graph.output.map((output) => output.name);
  const adapted = linearWeights(model, roots).filter(({ name }) => values.has(loraA(name)));
  const factors = new Set(adapted.flatMap(({ name }) => [loraA(name), loraB(name)]));
  const base = withInitializers(model, new Map([...values].filter(([name]) => !factors.has(name))));
  const tensors = new Map(base.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const merged = adapted.map((weight) => {
    const before = tensorValue(tensors.get(weight.name)!).data as Float32Array;
    const a = factor(values, loraA(weight.name), weight.inputs * spec.rank);
    const b = factor(values, loraB(weight.name), spec.rank * weight.outputs);
    return [weight.name, mergedWeight(weight, before, a, b, spec)] as const;
  });
  return withInitializers(base, new Map(merged));
}

function factor(values: ReadonlyMap<string, Float32Array>, name: string, length: number): Float32Array {
  const found = values.get(name);
  if (found?.length !== length)
    throw new Fault('invalid', `${name} has ${found?.length ?? 0} elements, not ${length}`, { field: name });
  return found;
}

function mergedWeight(
  { inputs, outputs, transposed }: LinearWeight,
  base: Float32Array,
  a: Float32Array,
  b: Float32Array,
  { rank, alpha }: Pick<LoraSpec, 'rank' | 'alpha'>,
): Float32Array {
  const scale = alpha / rank;
  const result = base.slice();
  // One row of x·W's update at a time: A's row times B.
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = a[i * rank + k]!;
      for (let j = 0; j < outputs; j++) row[j]! += factor * b[k * outputs + j]!;
    }
    for (let j = 0; j < outputs; j++) {
      const at = transposed ? j * inputs + i : i * outputs + j;
      // −0 + 0 would be +0.
      if (row[j] !== 0) result[at] = base[at]! + scale * row[j]!;
    }
  }
  return result;
}
