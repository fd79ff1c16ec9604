import { Fault } from '../errors.ts';
import { elementCount } from '../tensors/tensor.ts';
import type { Model } from './model.ts';
import { tensorProto } from './tensor.ts';

/** `TensorProto.DataType.FLOAT` */
const FLOAT = 1;

/** Names of the float32 initializers: what could be a parameter. */
export function floatInitializers({ graph }: Model): string[] {
  return graph.initializer.filter(({ dataType }) => dataType === FLOAT).map(({ name }) => name);
}

/**
 * The same graph with new values for some of its float32 initializers: how trained parameters become a release.
 * @throws Fault `invalid` where there is no such initializer, or it has another length or element type
 */
export function withInitializers(model: Model, values: ReadonlyMap<string, Float32Array>): Model {
  const left = new Set(values.keys());
  const initializer = model.graph.initializer.map((tensor) => {
    const data = values.get(tensor.name);
    if (data === undefined) return tensor;
    left.delete(tensor.name);
    if (tensor.dataType !== FLOAT || data.length !== elementCount(tensor.dims))
      throw new Fault(
        'invalid',
        `initializer ${tensor.name} is not float32 [${tensor.dims.join(', ')}] of ${data.length} elements`,
        { field: tensor.name },
      );
    return tensorProto(tensor.name, { dtype: 'F32', shape: tensor.dims, data });
  });
  const unknown = [...left][0];
  if (unknown !== undefined)
    throw new Fault('invalid', `the model has no initializer ${unknown}`, { field: unknown });
  return { ...model, graph: { ...model.graph, initializer } };
}
