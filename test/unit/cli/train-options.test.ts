import { describe, expect, test } from 'vitest';
import type { DatasetManifest, DatasetTensor } from '../../../core/contracts/dataset.ts';
import type { LossKind } from '../../../core/contracts/loss.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { type BuilderName, modelForDataset } from '../../../infra/cli/builders.ts';
import { gate } from '../../../infra/cli/commands/train/gate.ts';
import { routing } from '../../../infra/cli/commands/train/routing.ts';
import { inputMapping, mappedInputs, NO_INPUTS } from '../../../infra/cli/commands/train/inputs.ts';
import { lastLayer, lossSpec } from '../../../infra/cli/commands/train/loss.ts';

describe('--gate', () => {
  test.each([
    ['0.97', { metric: 'accuracy', atLeast: 0.97 }],
    ['mae<=0.3', { metric: 'mae', atMost: 0.3 }],
    ['f1 >= 0.9', { metric: 'f1', atLeast: 0.9 }],
    ['loss<=1e-2', { metric: 'loss', atMost: 0.01 }],
  ])('%s', (text, expected) => expect(gate(text)).toEqual(expected));

  test.each(['', 'mae', 'mae<0.3', 'speed>=2', 'mae<=x', '<=3'])('refuses %j', (text) => {
    expect(() => gate(text)).toThrow(/a metric \(accuracy, f1/);
  });
});

describe('--routing', () => {
  test('is what the job’s schema takes', () => {
    expect(routing('{"exclude":["cloud"],"deadlineMs":200}')).toEqual({
      exclude: ['cloud'],
      deadlineMs: 200,
    });
  });

  test.each([
    ['edge', /JSON/],
    ['{"target":"moon"}', /target: must be edge, cloud/],
    ['{"deadline":1}', /deadline: unknown field/],
  ])('refuses %j', (text, message) => {
    expect(() => routing(text)).toThrow(message);
  });
});

describe('--input', () => {
  const input = (name: string) => ({ name, dtype: 'F32', shape: ['batch', 2] }) as const;
  const given = (...texts: string[]) => texts.reduce((before, text) => inputMapping(text, before), NO_INPUTS);

  test('of one input it is the tensor, of several each by name', () => {
    expect(mappedInputs(given(), [input('x')])).toEqual({ x: 'image' });
    expect(mappedInputs(given('features'), [input('x')])).toEqual({ x: 'features' });
    expect(mappedInputs(given('x=features'), [input('x')])).toEqual({ x: 'features' });
    const two = [input('ids'), input('mask')];
    expect(mappedInputs(given('ids=tokens', 'mask=seen'), two)).toEqual({ ids: 'tokens', mask: 'seen' });
    expect(mappedInputs(given('ids=tokens'), two)).toEqual({ ids: 'tokens' });
  });

  test.each(['=t', 'x='])('refuses %s', (text) => expect(() => given(text)).toThrow(/input=tensor/));
});

describe('--loss', () => {
  const outputs = [{ name: 'y', dtype: 'F32', shape: ['batch', 2] }] as const;
  const options = { target: 'label' };

  test('takes the first output unless told otherwise, and only the options it has', () => {
    expect(lossSpec({ ...options, loss: 'huber', delta: 2 }, outputs)).toEqual({
      kind: 'huber',
      output: 'y',
      target: 'label',
      delta: 2,
    });
    expect(lossSpec({ ...options, loss: 'output', output: 'l' }, outputs)).toEqual({
      kind: 'output',
      output: 'l',
    });
    expect(
      lossSpec({ ...options, loss: 'softmax-cross-entropy', mask: 'm', ignoreIndex: -1 }, outputs),
    ).toMatchObject({ mask: 'm', ignoreIndex: -1 });
  });

  test.each([
    [{ loss: 'mean-squared-error', delta: 1 }, /--delta: mean-squared-error has none/],
    [{ loss: 'huber', ignoreIndex: 0 }, /--ignore-index: huber has none/],
    [{ loss: 'output', mask: 'm' }, /--mask: output has none/],
  ] as const)('refuses %o', (more, message) => {
    expect(() => lossSpec({ ...options, ...more }, outputs)).toThrow(message);
  });
});

describe('the last layer of what is built', () => {
  const label: DatasetTensor = { dtype: 'F32', shape: [2] };
  const manifest = {
    v: 1,
    name: 'd',
    version: 1,
    tensors: { x: { dtype: 'F32', shape: [3] }, label },
    splits: {},
    createdAt: '2026-01-02T03:04:05Z',
  } as const satisfies DatasetManifest;
  const builder = { build: 'mlp', classes: 4, layers: 1, heads: 1, width: 4, seed: 0 } as const;
  const built = (loss: LossKind, build: BuilderName = 'mlp') => {
    const last = lastLayer({ loss, target: 'label' }, manifest);
    const model = decodeModel(modelForDataset(manifest, 'x', { ...builder, build }, last));
    return [model.graph.node.at(-1)?.opType, signatureOf(model).outputs[0]?.shape];
  };

  test('is that of the loss, and as wide as the target', () => {
    expect(built('softmax-cross-entropy')).toEqual(['Softmax', ['batch', 4]]);
    expect(built('binary-cross-entropy')).toEqual(['Sigmoid', ['batch', 2]]);
    expect(built('huber')).toEqual(['Gemm', ['batch', 2]]);
  });

  test('is refused where nothing fits', () => {
    expect(() => built('output')).toThrow(/--loss output: .* --model/);
    expect(() => built('mean-squared-error', 'cnn')).toThrow(/--build: cnn tells classes/);
  });
});
