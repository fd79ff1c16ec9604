import { describe, expect, it } from 'vitest';
import {
  cannotRun,
  fromOrt,
  interfaceOf,
  type OrtMetadata,
  refusesInputs,
  specOf,
} from '../../../core/inference/onnxruntime.ts';

const tensor = (name: string, type: string, shape: readonly (number | string)[] = []): OrtMetadata => ({
  name,
  isTensor: true,
  type,
  shape,
});
const sequence: OrtMetadata = { name: 's', isTensor: false };

function sessionOf(inputMetadata: readonly OrtMetadata[], outputMetadata: readonly OrtMetadata[]) {
  const session = {
    inputMetadata,
    outputMetadata,
    released: 0,
    release: async () => void (session.released += 1),
  };
  return session;
}

describe('what ONNX Runtime says of a value', () => {
  it('is a spec of ours, where an unknown dimension without a name is like no other', () => {
    expect(specOf(tensor('x', 'float32', ['batch', '', 3, '']))).toEqual({
      name: 'x',
      dtype: 'F32',
      shape: ['batch', 'x.1', 3, 'x.3'],
    });
    expect([tensor('x', 'string'), tensor('x', 'float16'), sequence].map(specOf)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is a value of ours, not copied', () => {
    const data = new BigInt64Array(2);
    const value = fromOrt('y', { type: 'int64', dims: [2], data });
    expect(value).toEqual({ dtype: 'I64', shape: [2], data });
    expect(value.data).toBe(data);
    expect(() => fromOrt('y', { type: 'string', dims: [1], data: ['a'] })).toThrow(
      expect.objectContaining({
        code: 'unprocessable',
        field: 'y',
        message: expect.stringMatching(/^y is string: supported are F32/) as string,
      }),
    );
  });
});

describe('a session', () => {
  it('has its inputs and outputs', async () => {
    const session = sessionOf([tensor('x', 'float32', ['n', 2])], [tensor('y', 'bool', ['n'])]);
    expect(await interfaceOf(session)).toEqual({
      inputs: [{ name: 'x', dtype: 'F32', shape: ['n', 2] }],
      outputs: [{ name: 'y', dtype: 'BOOL', shape: ['n'] }],
    });
    expect(session.released).toBe(0);
  });

  it.each([
    ['an input', [tensor('x', 'string')], [tensor('y', 'float32')], 'x is string'],
    ['an output', [tensor('x', 'float32')], [sequence], 's is no tensor'],
  ])('is released where %s is no tensor of ours', async (_, inputs, outputs, message) => {
    const session = sessionOf(inputs, outputs);
    await expect(interfaceOf(session)).rejects.toThrow(message);
    expect(session.released).toBe(1);
  });
});

it('what ONNX Runtime throws is said, whatever it throws', () => {
  expect(cannotRun(new Error('no kernel'))).toMatchObject({
    code: 'unprocessable',
    field: 'model',
    message: 'the model cannot be run: no kernel',
  });
  expect(refusesInputs('rank 2')).toMatchObject({
    code: 'invalid',
    field: 'inputs',
    message: 'the model refuses the inputs: rank 2',
  });
});
