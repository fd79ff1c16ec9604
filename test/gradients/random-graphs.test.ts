/**
 * Graphs nobody thought of: operators drawn at random, values used once, several times or by two paths at once,
 * against central differences. A graph that fails is named by its seed.
 */
import { expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom, type Random } from '../../core/random.ts';

const GRAPHS = 60;
const NODES = 12;
const STEP = 1e-5;

interface Value {
  readonly name: string;
  readonly shape: readonly [number, number];
}

const PARAMETERS: readonly Value[] = [
  { name: 'a', shape: [3, 4] },
  { name: 'b', shape: [3, 4] },
  { name: 'column', shape: [3, 1] },
  { name: 'row', shape: [1, 4] },
  { name: 'm', shape: [4, 3] },
];

class Writer {
  readonly graph = new GraphBuilder();
  readonly values: Value[] = [...PARAMETERS];
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
    for (const { name, shape } of PARAMETERS) {
      const data = Float64Array.from({ length: shape[0] * shape[1] }, () => 2 * random.uniform() - 1);
      this.graph.initializer(name, { dtype: 'F64', shape, data });
    }
  }

  pick = <T>(among: readonly T[]): T => among[this.random.below(among.length)]!;
  op = (type: string, inputs: string[], attributes = {}) => this.graph.op(type, inputs, attributes);
  ints = (...values: number[]) =>
    this.graph.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });

  /** Kept between −1 and 1, so that deep graphs stay where differences are sharp. */
  bounded = (name: string) => this.op('Tanh', [name]);

  step(): Value {
    const x = this.pick(this.values);
    const [rows, columns] = x.shape;
    const kind = this.random.below(9);
    if (kind === 0) return { ...x, name: this.op(this.pick(['Sigmoid', 'Tanh', 'Sin', 'Neg']), [x.name]) };
    if (kind === 1) return { ...x, name: this.op('Softmax', [x.name], { axis: this.random.below(2) }) };
    if (kind === 2) {
      const name = this.op('Transpose', [x.name], { perm: [1, 0] });
      return { name, shape: [columns, rows] };
    }
    if (kind === 3) {
      const axis = this.random.below(2);
      const type = this.pick(['ReduceMean', 'ReduceLogSumExp', 'ReduceSumSquare']);
      const name = this.bounded(this.op(type, [x.name, this.ints(axis)], { keepdims: 1 }));
      return { name, shape: axis === 0 ? [1, columns] : [rows, 1] };
    }
    if (kind === 4) {
      const name = this.op('Gather', [x.name, this.ints(0, rows - 1, 0)], { axis: 0 });
      return { name, shape: [3, columns] };
    }
    if (kind === 5) {
      const y = this.pick(this.values.filter(({ shape }) => shape[0] === rows));
      const joined = this.op('Concat', [x.name, y.name], { axis: 1 });
      const step = this.pick([1, 2, -1]);
      const [from, to] = step > 0 ? [0, 99] : [-1, -99];
      const cut = [joined, this.ints(from), this.ints(to), this.ints(1), this.ints(step)];
      return {
        name: this.op('Slice', cut),
        shape: [rows, Math.ceil((columns + y.shape[1]) / Math.abs(step))],
      };
    }
    const factors = this.values.filter(({ shape }) => shape[0] === columns);
    if (kind === 6 && factors.length > 0) {
      const y = this.pick(factors);
      return { name: this.bounded(this.op('MatMul', [x.name, y.name])), shape: [rows, y.shape[1]] };
    }
    const fits = (a: number, b: number) => a === b || a === 1 || b === 1;
    const y = this.pick(this.values.filter(({ shape }) => fits(shape[0], rows) && fits(shape[1], columns)));
    const name = this.op(this.pick(['Add', 'Sub', 'Mul']), [x.name, y.name]);
    return { name, shape: [Math.max(rows, y.shape[0]), Math.max(columns, y.shape[1])] };
  }

  model(): Model {
    for (let i = 0; i < NODES; i++) this.values.push(this.step());
    // Each value has its say in the loss, in a way of its own.
    const sums = this.values.map(({ name }, i) => {
      const weighted = this.op('Mul', [
        name,
        this.graph.constant({ dtype: 'F64', shape: [], data: Float64Array.of(1 + i / 7) }),
      ]);
      return this.op('ReduceSum', [this.op('Sin', [weighted])], { keepdims: 0 });
    });
    this.graph.op('Sum', sums, {}, 'loss');
    this.graph.output({ name: 'loss', dtype: 'F64', shape: [] });
    return this.graph.build('random');
  }
}

it.each(Array.from({ length: GRAPHS }, (_, seed) => seed))('graph %i', async (seed) => {
  const model = new Writer(createRandom(seed)).model();
  const names = PARAMETERS.map(({ name }) => name);
  const graph = gradientGraph(model, await inferTypes(model), 'loss', names);
  const session = await nativeRuntime().load(encodeModel(graph));
  const feeds = Object.fromEntries(
    model.graph.initializer
      .filter((tensor) => names.includes(tensor.name))
      .map((tensor) => {
        const value = tensorValue(tensor);
        return [tensor.name, { ...value, data: value.data.slice() }];
      }),
  );
  const lossOf = async () => Number((await session.run(feeds, ['loss']))['loss']!.data[0]);
  const gradients = await session.run(feeds, names.map(gradientName));
  for (const name of names) {
    const { data } = feeds[name]!;
    for (let i = 0; i < data.length; i++) {
      const before = Number(data[i]);
      data[i] = before + STEP;
      const up = await lossOf();
      data[i] = before - STEP;
      const down = await lossOf();
      data[i] = before;
      const difference = Math.abs((up - down) / (2 * STEP) - Number(gradients[gradientName(name)]!.data[i]));
      expect(difference, `${name}[${i}]`).toBeLessThan(1e-6);
    }
  }
  await session.release();
});
