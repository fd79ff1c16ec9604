import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { Fault } from '../../../core/errors.ts';
import { parseInferRequest, type Signature } from '../../../core/inference/protocol/request.ts';
import { encodeInferResponse, modelMetadata, VERSION } from '../../../core/inference/protocol/response.ts';
import { type DType, DTYPE_NAMES, DTYPES, type NumericArray } from '../../../core/tensors/dtypes.ts';
import { elementCount } from '../../../core/tensors/tensor.ts';

const encoder = new TextEncoder();
const bytes = (value: unknown) => encoder.encode(typeof value === 'string' ? value : JSON.stringify(value));

/** Two inputs that share a symbolic dimension, one of integers, and a scalar. */
const SIGNATURE: Signature = {
  inputs: [
    { name: 'image', dtype: 'F32', shape: ['batch', 2, 2] },
    { name: 'mask', dtype: 'BOOL', shape: ['batch'] },
    { name: 'ids', dtype: 'I64', shape: ['words'] },
    { name: 'scale', dtype: 'U8', shape: [] },
  ],
  outputs: [
    { name: 'scores', dtype: 'F32', shape: ['batch', 10] },
    { name: 'label', dtype: 'I64', shape: ['batch'] },
  ],
};

interface Input {
  name?: unknown;
  shape?: unknown;
  datatype?: unknown;
  data?: unknown;
  parameters?: unknown;
}

const good = () => ({
  inputs: [
    { name: 'image', shape: [1, 2, 2], datatype: 'FP32', data: [1, 2, 3, 4] } as Input,
    { name: 'mask', shape: [1], datatype: 'BOOL', data: [true] } as Input,
    { name: 'ids', shape: [2], datatype: 'INT64', data: [5, -6] } as Input,
    { name: 'scale', shape: [], datatype: 'UINT8', data: [255] } as Input,
  ],
});

const withImage = (change: Input) => {
  const request = good();
  request.inputs[0] = { ...request.inputs[0], ...change };
  return request;
};
const withInput = (index: number, change: Input) => {
  const request = good();
  request.inputs[index] = { ...request.inputs[index], ...change };
  return request;
};

function faultOf(body: unknown): Fault {
  try {
    parseInferRequest(bytes(body), SIGNATURE);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('the request was accepted');
}

describe('good requests', () => {
  it('are read, all outputs by default', () => {
    const request = parseInferRequest(bytes({ id: 'r1', ...good() }), SIGNATURE);
    expect(request).toEqual({
      id: 'r1',
      inputs: {
        image: { dtype: 'F32', shape: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) },
        mask: { dtype: 'BOOL', shape: [1], data: Uint8Array.of(1) },
        ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(5n, -6n) },
        scale: { dtype: 'U8', shape: [], data: Uint8Array.of(255) },
      },
      outputs: ['scores', 'label'],
    });
  });

  it('may name outputs, in their own order, and carry parameters', () => {
    const outputs = [{ name: 'label', parameters: { binary_data: false } }];
    const request = parseInferRequest(
      bytes({ ...good(), outputs, parameters: { sequence_id: 7 } }),
      SIGNATURE,
    );
    expect(request.outputs).toEqual(['label']);
    expect(request.id).toBeUndefined();
    expect(parseInferRequest(bytes({ ...good(), outputs: [] }), SIGNATURE).outputs).toHaveLength(2);
  });

  it('may nest data as the shape says', () => {
    const nested = withImage({
      data: [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    });
    expect(parseInferRequest(bytes(nested), SIGNATURE).inputs['image']!.data).toEqual(
      Float32Array.of(1, 2, 3, 4),
    );
  });

  it('keep FP32 that rounds to the largest finite value', () => {
    const data = [3.4028234663852886e38, 3.402823466385289e38, -3.402823466385289e38, 1e-46];
    expect(() => parseInferRequest(bytes(withImage({ data })), SIGNATURE)).not.toThrow();
  });
});

describe('bad requests', () => {
  const rows: readonly (readonly [what: string, body: unknown, field: string])[] = [
    ['malformed JSON', '{"inputs":', 'body'],
    ['an empty body', '', 'body'],
    ['an array', [], 'body'],
    ['null', 'null', 'body'],
    ['NaN in JSON', '{"inputs":[{"name":"image","data":[NaN]}]}', 'body'],
    ['an unknown field', { ...good(), extra: 1 }, 'extra'],
    ['an id that is no string', { ...good(), id: 5 }, 'id'],
    ['parameters that are no object', { ...good(), parameters: [] }, 'parameters'],
    [
      'the binary extension',
      { ...good(), parameters: { binary_data_output: true } },
      'parameters.binary_data_output',
    ],
    ['no inputs', {}, 'inputs'],
    ['inputs that are no array', { inputs: {} }, 'inputs'],
    ['a missing input', { inputs: good().inputs.slice(1) }, 'inputs'],
    ['an input that is no object', { inputs: [1] }, 'inputs[0]'],
    ['an unknown input field', withImage({ dtype: 'FP32' } as Input), 'inputs[0].dtype'],
    ['an unknown input', withImage({ name: 'picture' }), 'inputs[0].name'],
    ['an input without a name', withImage({ name: undefined }), 'inputs[0].name'],
    ['an input given twice', { inputs: [...good().inputs, good().inputs[0]] }, 'inputs[4].name'],
    ['a wrong datatype', withImage({ datatype: 'FP64' }), 'inputs[0].datatype'],
    ['an unknown datatype', withImage({ datatype: 'float' }), 'inputs[0].datatype'],
    ['no datatype', withImage({ datatype: undefined }), 'inputs[0].datatype'],
    ['no shape', withImage({ shape: undefined }), 'inputs[0].shape'],
    ['a wrong rank', withImage({ shape: [4] }), 'inputs[0].shape'],
    ['a wrong dimension', withImage({ shape: [1, 3, 2] }), 'inputs[0].shape[1]'],
    ['an empty batch', withImage({ shape: [0, 2, 2], data: [] }), 'inputs[0].shape[0]'],
    ['a negative dimension', withImage({ shape: [-1, 2, 2] }), 'inputs[0].shape[0]'],
    ['a fractional dimension', withImage({ shape: [1.5, 2, 2] }), 'inputs[0].shape[0]'],
    ['a dimension as text', withImage({ shape: ['1', 2, 2] }), 'inputs[0].shape[0]'],
    ['batches of different size', withInput(1, { shape: [2], data: [true, false] }), 'inputs[1].shape[0]'],
    ['no data', withImage({ data: undefined }), 'inputs[0].data'],
    ['data that is no array', withImage({ data: 'AAAA' }), 'inputs[0].data'],
    ['too few elements', withImage({ data: [1, 2, 3] }), 'inputs[0].data'],
    ['too many elements', withImage({ data: [1, 2, 3, 4, 5] }), 'inputs[0].data'],
    ['a shape larger than any body', withImage({ shape: [1e12, 2, 2] }), 'inputs[0].data'],
    ['the same, nested', withImage({ shape: [1e12, 2, 2], data: [[[1]]] }), 'inputs[0].data'],
    ['a ragged nesting', withImage({ data: [[[1, 2], [3]]] }), 'inputs[0].data[0][1]'],
    ['a nesting that is too shallow', withImage({ data: [[1, 2, 3, 4]] }), 'inputs[0].data[0]'],
    [
      'a nesting that is too deep',
      withImage({
        data: [
          [
            [[1], 2],
            [3, 4],
          ],
        ],
      }),
      'inputs[0].data[0][0][0]',
    ],
    ['null in the data', withImage({ data: [1, 2, null, 4] }), 'inputs[0].data[2]'],
    ['text in the data', withImage({ data: [1, 'NaN', 3, 4] }), 'inputs[0].data[1]'],
    ['a boolean among numbers', withImage({ data: [true, 2, 3, 4] }), 'inputs[0].data[0]'],
    ['a number beyond FP32', withImage({ data: [1, 2, 3, 1e39] }), 'inputs[0].data[3]'],
    [
      'a number beyond FP64',
      JSON.stringify(withImage({ data: [1, 2, 3, 4444] })).replace('4444', '1e999'),
      'inputs[0].data[3]',
    ],
    ['a number for a boolean', withInput(1, { data: [1] }), 'inputs[1].data[0]'],
    ['a fraction for an integer', withInput(2, { data: [1, 0.5] }), 'inputs[2].data[1]'],
    ['an INT64 beyond 2^53', JSON.stringify(good()).replace('-6', '9007199254740993'), 'inputs[2].data[1]'],
    ['an integer out of range', withInput(3, { data: [256] }), 'inputs[3].data[0]'],
    ['a negative UINT8', withInput(3, { data: [-1] }), 'inputs[3].data[0]'],
    ['outputs that are no array', { ...good(), outputs: 'label' }, 'outputs'],
    ['an unknown output', { ...good(), outputs: [{ name: 'nope' }] }, 'outputs[0].name'],
    [
      'an output asked twice',
      { ...good(), outputs: [{ name: 'label' }, { name: 'label' }] },
      'outputs[1].name',
    ],
    ['an unknown output field', { ...good(), outputs: [{ name: 'label', x: 1 }] }, 'outputs[0].x'],
  ];

  it.each(rows)('%s: a 400 that names the field', (_what, body, field) => {
    const fault = faultOf(body);
    expect({ status: fault.status, field: fault.field }).toEqual({ status: 400, field });
    expect(fault.message).toMatch(new RegExp(`^${field.replaceAll(/[[\].]/g, '\\$&')}: .`));
  });

  it('refuses bytes that are not UTF-8', () => {
    const body = bytes({ id: '~', ...good() });
    body[body.indexOf(0x7e)] = 0xff;
    expect(() => parseInferRequest(body, SIGNATURE)).toThrow(/UTF-8/);
  });

  it('says why a large INT64 is refused, and does not repeat long values', () => {
    expect(faultOf(JSON.stringify(good()).replace('-6', '9007199254740993')).message).toContain('2^53');
    expect(faultOf(withImage({ name: 'x'.repeat(5000) })).message.length).toBeLessThan(200);
  });

  it('never answers with anything but a Fault', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (shape, data, outputs) => {
        for (const body of [shape, { inputs: shape, outputs }, { ...withImage({ shape, data }), outputs }])
          try {
            parseInferRequest(bytes(JSON.stringify(body)), SIGNATURE);
          } catch (thrown) {
            if (!(thrown instanceof Fault)) throw thrown;
          }
      }),
      { numRuns: 500 },
    );
  });
});

/** JSON-safe elements of each type, as they come back from a typed array. */
const ELEMENT: Readonly<Record<DType, fc.Arbitrary<number | boolean>>> = {
  F32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  F64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  I8: fc.integer({ min: -128, max: 127 }),
  U8: fc.integer({ min: 0, max: 255 }),
  I16: fc.integer({ min: -32_768, max: 32_767 }),
  U16: fc.integer({ min: 0, max: 65_535 }),
  I32: fc.integer(),
  U32: fc.integer({ min: 0, max: 4_294_967_295 }),
  I64: fc.maxSafeInteger(),
  U64: fc.maxSafeNat(),
  BOOL: fc.boolean(),
};

const nest = (flat: readonly unknown[], shape: readonly number[]): unknown => {
  if (shape.length <= 1) return flat;
  const width = flat.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, row) =>
    nest(flat.slice(row * width, (row + 1) * width), shape.slice(1)),
  );
};

describe('round trips', () => {
  it.each(DTYPE_NAMES)('%s, flat and nested: what is sent comes back', (dtype) => {
    const tensor = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        data: fc.array(ELEMENT[dtype], {
          minLength: elementCount(shape),
          maxLength: elementCount(shape),
        }),
      }),
    );
    fc.assert(
      fc.property(tensor, fc.boolean(), fc.string(), ({ shape, data }, flat, id) => {
        const spec = { name: 'x"\n', dtype, shape: shape.map((_, axis) => `d${axis}`) };
        const sent = {
          name: spec.name,
          shape,
          datatype: DTYPES[dtype].oip,
          data: flat ? data : nest(data, shape),
        };
        const request = parseInferRequest(bytes({ id, inputs: [sent] }), { inputs: [spec], outputs: [spec] });
        const value = request.inputs[spec.name]!;
        const answer: unknown = JSON.parse(
          encodeInferResponse({
            model: 'm',
            release: 3,
            id: request.id,
            outputs: [{ name: spec.name, value }],
          }),
        );
        expect(answer).toEqual({
          model_name: 'm',
          model_version: '3',
          id,
          // JSON has no negative zero in what JavaScript writes.
          outputs: [{ ...sent, data: data.map((each) => (each === 0 ? 0 : each)) }],
        });
      }),
      { numRuns: 60 },
    );
  });

  it('writes every digit of a 64-bit integer', () => {
    const value = { dtype: 'I64' as const, shape: [2], data: BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)) };
    const body = encodeInferResponse({
      model: 'm',
      release: 1,
      id: undefined,
      outputs: [{ name: 'y', value }],
    });
    expect(body).toBe(
      '{"model_name":"m","model_version":"1","outputs":[{"name":"y","shape":[2],"datatype":"INT64",' +
        '"data":[9223372036854775807,-9223372036854775808]}]}',
    );
  });

  it.each([NaN, Infinity, -Infinity])('%s from a model is a 422 naming the output', (bad) => {
    for (const [dtype, data] of [
      ['F32', Float32Array.of(1, bad)],
      ['F64', Float64Array.of(1, bad)],
    ] as readonly (readonly [DType, NumericArray])[])
      expect(() =>
        encodeInferResponse({
          model: 'm',
          release: 1,
          id: undefined,
          outputs: [{ name: 'y', value: { dtype, shape: [2], data } }],
        }),
      ).toThrow(expect.objectContaining({ code: 'unprocessable', field: 'outputs[0].data' }));
  });
});

describe('metadata', () => {
  it('has -1 for symbolic dimensions and strings for versions', () => {
    expect(modelMetadata('m', [1, 2], SIGNATURE)).toMatchObject({
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [
        { name: 'image', datatype: 'FP32', shape: [-1, 2, 2] },
        { datatype: 'BOOL' },
        { datatype: 'INT64', shape: [-1] },
        { shape: [] },
      ],
    });
  });

  it("has this package's version", () => {
    expect(VERSION).toBe(packageJson.version);
  });
});
