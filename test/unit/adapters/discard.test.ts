import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { discard } from '../../../cloud/adapters/onnxruntime-session.ts';

const tensor = (data: Float32Array<ArrayBuffer>) => new Tensor('float32', data, [data.length]);

describe('a result that was written into a place of ours', () => {
  it('is freed where it is a copy, and the place stays', () => {
    const place = Float32Array.of(1, 2);
    const copy = Float32Array.of(1, 2);
    discard(tensor(copy), tensor(place));
    expect(copy.buffer.detached).toBe(true);
    expect(place).toEqual(Float32Array.of(1, 2));
  });

  it('is left alone where it is the place itself, or there is none', () => {
    const flat = Float32Array.of(1, 2, 3, 4);
    discard(tensor(flat.subarray(2)), tensor(flat.subarray(2)));
    discard(undefined, tensor(flat));
    expect(flat).toEqual(Float32Array.of(1, 2, 3, 4));
  });
});
