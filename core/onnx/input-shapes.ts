/** Fixes symbolic dimensions: with a batch's own sizes in it, a graph's shapes are all known before it runs. */
import { Fault } from '../errors.ts';
import { valueInfo } from './builder.ts';
import type { Model } from './model.ts';
import { signatureOf } from './signature.ts';

/**
 * The model with its symbolic dimensions replaced, in inputs and outputs; what is declared of values in between is
 * dropped, for the runtime to infer anew.
 * @param shapes of every input
 * @throws Fault `invalid` where a shape does not fit its input, or one dimension is given two sizes
 */
export function withInputShapes(model: Model, shapes: ReadonlyMap<string, readonly number[]>): Model {
  const { inputs, outputs } = signatureOf(model);
  const sizes = new Map<string, { size: number; by: string }>();
  for (const { name, shape } of inputs) {
    const given = shapes.get(name) ?? [];
    if (given.length !== shape.length) throw mismatch(name, given, shape);
    shape.forEach((dimension, axis) => {
      const size = given[axis]!;
      if (typeof dimension === 'number') {
        if (dimension !== size) throw mismatch(name, given, shape);
        return;
      }
      const known = sizes.get(dimension);
      if (known !== undefined && known.size !== size)
        throw new Fault(
          'invalid',
          `dimension ${dimension} is ${size} in input ${name} and ${known.size} in input ${known.by}`,
          { field: `inputs.${name}` },
        );
      sizes.set(dimension, { size, by: name });
    });
  }
  const bound = new Map(
    [...inputs, ...outputs].map((spec) => {
      const shape = spec.shape.map((dimension) =>
        typeof dimension === 'string' ? (sizes.get(dimension)?.size ?? dimension) : dimension,
      );
      return [spec.name, valueInfo({ ...spec, shape })];
    }),
  );
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      input: graph.input.map((each) => bound.get(each.name) ?? each),
      output: graph.output.map((each) => bound.get(each.name) ?? each),
      valueInfo: [],
    },
  };
}

function mismatch(name: string, given: readonly number[], wanted: readonly (number | string)[]): Fault {
  return new Fault(
    'invalid',
    `input ${name} is [${given.join(', ')}]: the model asks for [${wanted.join(', ')}]`,
    {
      field: `inputs.${name}`,
    },
  );
}
