/** `causeway gradients` and `causeway gradcheck`, as a user types them; they need no running stack. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';

const MAIN = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));
const fixture = (file: string) => fileURLToPath(new URL(`../fixtures/gradients/${file}`, import.meta.url));

const Gradients = z.strictObject({
  loss: z.number(),
  grads: z.record(
    z.string(),
    z.strictObject({ shape: z.array(z.int()), data: z.array(z.number().nullable()) }),
  ),
});
const Reference = z.object(Gradients.shape);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-gradients-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const causeway = (...args: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 28 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });

/** Of a fixture, to a file. */
const gradientsOf = (name: string, out: string) =>
  causeway(
    'gradients',
    fixture(`${name}.onnx`),
    '--inputs',
    fixture(`${name}.json`),
    '--loss',
    'loss',
    '--out',
    out,
  );

const inputsOf = (value: Readonly<Record<string, { dtype: string; shape: number[]; data: number[] }>>) =>
  JSON.stringify(value);

/** y = Σ relu(pad(x·w + offset))·scale, in float64, with an initializer nothing reads and a second output. */
async function mixedModel(): Promise<string> {
  const graph = new GraphBuilder();
  const f64 = (name: string, shape: number[], ...values: number[]) =>
    graph.initializer(name, { dtype: 'F64', shape, data: Float64Array.from(values) });
  graph.input({ name: 'x', dtype: 'F64', shape: ['rows', 2] });
  const product = graph.op('MatMul', ['x', f64('w', [2, 2], 1, -2, 3, 0.5)]);
  const shifted = graph.op('Add', [product, f64('offset', [], 0.25)]);
  const widths = graph.constant({ dtype: 'I64', shape: [4], data: BigInt64Array.of(0n, 0n, 0n, 1n) });
  const padded = graph.op('Pad', [shifted, widths, f64('padding', [], -1)]);
  graph.op(
    'ReduceSum',
    [graph.op('Mul', [graph.op('Relu', [padded]), f64('scale', [], 2)])],
    { keepdims: 0 },
    'y',
  );
  graph.op('Identity', [f64('unused', [1], 1)], {}, 'other');
  graph.output({ name: 'y', dtype: 'F64', shape: [] });
  graph.output({ name: 'other', dtype: 'F64', shape: [1] });
  const path = join(folder, 'mixed.onnx');
  await writeFile(path, encodeModel(graph.build('mixed')));
  return path;
}

describe('causeway gradients', () => {
  test.each(['mlp_mnist', 'regressor_huber', 'gpt_tiny', 'cnn_lenet'])(
    '%s as PyTorch has it',
    async (name) => {
      const out = join(folder, `${name}.json`);
      const { code, err } = await gradientsOf(name, out);
      expect(code, err).toBe(0);
      const ours = Gradients.parse(JSON.parse(await readFile(out, 'utf8')));
      const reference = Reference.parse(JSON.parse(await readFile(fixture(`${name}.json`), 'utf8')));
      expect(ours.loss).toBeCloseTo(reference.loss, 5);
      for (const [parameter, { shape, data }] of Object.entries(reference.grads)) {
        const gradient = ours.grads[parameter]!;
        expect(gradient.shape).toEqual(shape);
        const largest = Math.max(...data.map((value) => Math.abs(value!)));
        const worst = Math.max(...data.map((value, i) => Math.abs(value! - gradient.data[i]!)));
        expect(worst / largest, parameter).toBeLessThan(1e-4);
      }
    },
  );

  test('float64, scalars, what the loss does not read, and what has no gradient', async () => {
    const inputs = join(folder, 'in.json');
    await writeFile(inputs, inputsOf({ x: { dtype: 'float64', shape: [1, 2], data: [1, 2] } }));
    const model = await mixedModel();
    const { code, out, err } = await causeway(
      'gradients',
      model,
      '--inputs',
      inputs,
      '--loss',
      'y',
      '--out',
      '-',
    );
    expect(code, err).toBe(0);
    // x·w + offset = [7.25, -0.75], of which relu passes the first.
    expect(JSON.parse(out)).toEqual({
      loss: 14.5,
      grads: {
        w: { shape: [2, 2], data: [2, 0, 4, 0] },
        offset: { shape: [], data: [2] },
        scale: { shape: [], data: [7.25] },
        unused: { shape: [1], data: [0] },
      },
    });
    expect(err).toMatch(/zeros.*: unused/);
    expect(err).toMatch(/no gradient of padding: Pad node .* not differentiable in its input padding/);
  });

  const mlp = fixture('mlp_mnist.onnx');
  const wrong: readonly (readonly [string, string[], RegExp])[] = [
    [
      'a model that is not there',
      ['/none.onnx', '--inputs', fixture('mlp_mnist.json')],
      /none\.onnx cannot be read/,
    ],
    [
      'a file that is no model',
      [fixture('mlp_mnist.json'), '--inputs', fixture('mlp_mnist.json')],
      /not an ONNX file/,
    ],
    ['inputs that are no JSON', [mlp, '--inputs', mlp], /mlp_mnist\.onnx is not JSON/],
    ['inputs of another model', [mlp, '--inputs', fixture('regressor_huber.json')], /asks for \[8, 784\]/],
    [
      'no such output',
      [mlp, '--inputs', fixture('mlp_mnist.json'), '--loss', 'nope'],
      /no output nope: it has loss/,
    ],
  ];
  test.each(wrong)('refuses %s with exit code 2', async (_name, args, message) => {
    const { code, out, err } = await causeway('gradients', '--loss', 'loss', '--out', '-', ...args);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  test('refuses an output that is no scalar', async () => {
    const inputs = join(folder, 'in.json');
    await writeFile(inputs, inputsOf({ x: { dtype: 'float64', shape: [1, 2], data: [1, 2] } }));
    const { code, err } = await causeway(
      'gradients',
      await mixedModel(),
      '--inputs',
      inputs,
      '--loss',
      'other',
      '--out',
      '-',
    );
    expect(err).toMatch(/other is F64 \[1\]: it must be a floating-point scalar/);
    expect(code).toBe(2);
  });
});

describe('causeway gradcheck', () => {
  test.each(['mlp_mnist', 'regressor_huber', 'gpt_tiny', 'cnn_lenet'])('%s', async (name) => {
    const given = await causeway(
      'gradcheck',
      fixture(`${name}.onnx`),
      '--inputs',
      fixture(`${name}.json`),
      '--json',
    );
    expect(given.code, given.out + given.err).toBe(0);
    const { initializers, verdict } = JSON.parse(given.out) as {
      initializers: { checked: number }[];
      verdict: string;
    };
    expect(verdict).toBe('ok');
    expect(initializers.every(({ checked }) => checked > 0)).toBe(true);
    const random = await causeway('gradcheck', fixture(`${name}.onnx`), '--samples', '3');
    expect(random.code, random.out + random.err).toBe(0);
    expect(random.out).toMatch(/the gradients are right/);
  });

  test('an output that is no scalar is weighted and summed', async () => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: ['rows', 2] });
    const weight = { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, -5, -6) } as const;
    graph.op('Softmax', [graph.op('MatMul', ['x', graph.initializer('w', weight)])], { axis: -1 }, 'y');
    graph.output({ name: 'y', dtype: 'F32', shape: ['rows', 3] });
    const path = join(folder, 'softmax.onnx');
    await writeFile(path, encodeModel(graph.build('softmax')));
    const { code, out, err } = await causeway('gradcheck', path);
    expect(code, out + err).toBe(0);
    expect(out).toMatch(/a random weighted sum of y/);
  });
});
