import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../core/errors.ts';
import { DTYPES, DTYPE_NAMES } from '../../../core/tensors/dtypes.ts';
import { decodeSafetensors, encodeSafetensors } from '../../../core/tensors/safetensors.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';

/** A file with any header and any data, as a broken writer would make it. */
function file(header: string, data = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

const tensor = fc.constantFrom(...DTYPE_NAMES).chain((dtype) =>
  fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const { array, bytes } = DTYPES[dtype];
    return fc
      .uint8Array({ minLength: count * bytes, maxLength: count * bytes })
      .map((raw): TensorValue => ({ dtype, shape, data: new array(raw.slice().buffer) }));
  }),
);

const bitsOf = ({ dtype, shape, data }: TensorValue) => ({
  dtype,
  shape: [...shape],
  bits: [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
});

describe('safetensors', () => {
  it('gives back what it was given, bit for bit, wherever the file lies in memory', () => {
    const name = fc.string({ minLength: 1 }).filter((s) => s !== '__metadata__' && s !== '__proto__');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor), { maxLength: 6 }), fc.nat(7), (entries, shift) => {
        const tensors = new Map(entries);
        const bytes = encodeSafetensors(tensors, { note: 'né' });
        expect(bytes).toEqual(encodeSafetensors(tensors, { note: 'né' }));
        const moved = new Uint8Array(bytes.length + shift).subarray(shift);
        moved.set(bytes);
        const decoded = decodeSafetensors(moved);
        expect(decoded.metadata).toEqual({ note: 'né' });
        expect(new Map([...decoded.tensors].map(([k, v]) => [k, bitsOf(v)]))).toEqual(
          new Map([...tensors].map(([k, v]) => [k, bitsOf(v)])),
        );
      }),
    );
  });

  it('writes the bytes the specification shows', () => {
    const bytes = encodeSafetensors({ a: { dtype: 'F32', shape: [2], data: new Float32Array([1, -2]) } });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd()).toBe(
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
    );
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 128, 63, 0, 0, 0, 192]);
  });

  it('views aligned data without a copy', () => {
    const bytes = encodeSafetensors({ a: { dtype: 'F64', shape: [], data: new Float64Array([3]) } });
    expect(decodeSafetensors(bytes).tensors.get('a')?.data.buffer).toBe(bytes.buffer);
  });

  it('keeps insertion order even for names that look like integers', () => {
    const one = { dtype: 'U8', shape: [1], data: new Uint8Array([7]) } as const;
    const bytes = encodeSafetensors(
      new Map([
        ['b', one],
        ['1', one],
      ]),
    );
    expect(new TextDecoder().decode(bytes.subarray(8))).toMatch(/^\{"b":.*"1":/);
  });

  const f32 = (offsets: string, shape = '[1]') =>
    `{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}`;
  it.each<[string, Uint8Array<ArrayBuffer>, string, RegExp]>([
    ['no length', new Uint8Array(5), 'header', /truncated/],
    ['header beyond the file', file('{}').subarray(0, 9), 'header', /truncated/],
    ['header over the limit', new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0]), 'header', /at most 100000000/],
    ['not JSON', file('{'), 'header', /not UTF-8 JSON/],
    ['not UTF-8', file('{}').fill(0xff, 8), 'header', /not UTF-8 JSON/],
    ['not an object', file('[]'), 'header', /not a JSON object/],
    ['unknown dtype', file(`{"a":{"dtype":"F8","shape":[],"data_offsets":[0,0]}}`), 'a', /dtype F8/],
    ['negative shape', file(`{"a":${f32('[0,4]', '[-1]')}}`, new Uint8Array(4)), 'a', /shape/],
    ['missing offsets', file('{"a":{"dtype":"F32","shape":[]}}'), 'a', /data_offsets/],
    ['unknown field', file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}'), 'a', /exactly/],
    ['data beyond the file', file(`{"a":${f32('[0,4]')}}`), 'a', /outside/],
    ['reversed offsets', file(`{"a":${f32('[4,0]')}}`, new Uint8Array(4)), 'a', /outside/],
    ['size mismatch', file(`{"a":${f32('[0,8]')}}`, new Uint8Array(8)), 'a', /is 4 bytes/],
    ['overlap', file(`{"a":${f32('[0,4]')},"b":${f32('[2,6]')}}`, new Uint8Array(6)), 'b', /overlaps/],
    ['hole', file(`{"a":${f32('[0,4]')},"b":${f32('[6,10]')}}`, new Uint8Array(10)), 'b', /no tensor/],
    ['tail', file(`{"a":${f32('[0,4]')}}`, new Uint8Array(5)), 'header', /no tensor/],
    ['metadata not strings', file('{"__metadata__":{"a":1}}'), '__metadata__', /strings/],
  ])('refuses %s', (_, bytes, field, message) => {
    const fault = faultOf(() => decodeSafetensors(bytes));
    expect(fault.code).toBe('invalid');
    expect(fault.field).toBe(field);
    expect(fault.message).toMatch(message);
  });

  it('refuses to write data that is not what it is said to be', () => {
    const f32 = (shape: number[]) => ({ a: { dtype: 'F32' as const, shape, data: new Float32Array(2) } });
    expect(faultOf(() => encodeSafetensors(f32([3]))).message).toMatch(/does not hold 2 elements/);
    const mistyped = { a: { dtype: 'F32' as const, shape: [2], data: new Int32Array(2) } };
    expect(faultOf(() => encodeSafetensors(mistyped)).message).toMatch(/Float32Array/);
  });
});
