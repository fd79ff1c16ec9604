import { expect, it } from 'vitest';
import { modelName } from '../../../infra/cli/commands/train/model-name.ts';

it.each([
  ['mine', '/a/My-Model.onnx', 'mnist', 'mine'],
  [undefined, '/a/My-Model.onnx', 'mnist', 'my-model'],
  [undefined, 'net.v2.ONNX', 'mnist', 'net.v2'],
  [undefined, undefined, 'mnist', 'mnist'],
])('name %s, file %s, dataset %s: %s', (given, file, dataset, expected) => {
  expect(modelName(given, file, dataset)).toBe(expected);
});

it('a file whose name is no name for a model is refused with what to do', () => {
  expect(() => modelName(undefined, 'my model.onnx', 'mnist')).toThrow(
    /my model is no name for a model; say one/,
  );
});
