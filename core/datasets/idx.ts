/**
 * The IDX format of the MNIST files (LeCun, Cortes & Burges, "The MNIST database of handwritten digits"): two zero
 * bytes, a type code, the rank, one big-endian 32-bit size per dimension, then the elements, big-endian, row-major.
 */
import { Fault } from '../errors.ts';
import { type DType, DTYPES } from '../tensors/dtypes.ts';
import { elementCount, type TensorValue } from '../tensors/tensor.ts';

const TYPES: ReadonlyMap<number, DType> = new Map([
  [0x08, 'U8'],
  [0x09, 'I8'],
  [0x0b, 'I16'],
  [0x0c, 'I32'],
  [0x0d, 'F32'],
  [0x0e, 'F64'],
]);

/** @throws Fault `invalid` saying what in the file is wrong. */
export function parseIdx(bytes: Uint8Array<ArrayBuffer>): TensorValue {
  const bad = (what: string): never => {
    throw new Fault('invalid', `not an IDX file: ${what}`);
  };
  if (bytes.length < 4) bad(`${bytes.length} bytes, at least 4 are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== 0) bad('it does not start with two zero bytes');
  const code = view.getUint8(2);
  const dtype =
    TYPES.get(code) ?? bad(`type code 0x${code.toString(16)}; allowed are 0x8, 0x9, 0xb, 0xc, 0xd, 0xe`);
  const rank = view.getUint8(3);
  if (rank === 0) bad('rank 0');
  const header = 4 + 4 * rank;
  if (bytes.length < header)
    bad(`the header of rank ${rank} needs ${header} bytes, there are ${bytes.length}`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const row = DTYPES[dtype];
  const expected = header + elementCount(shape) * row.bytes;
  if (bytes.length !== expected) {
    bad(`shape [${shape.join(', ')}] of ${dtype} needs ${expected} bytes, there are ${bytes.length}`);
  }
  return { dtype, shape, data: littleEndian(new Uint8Array(bytes.subarray(header)), dtype) };
}

/** Turns big-endian elements into this platform's order (little-endian on all that ONNX Runtime supports), in place. */
function littleEndian(bytes: Uint8Array<ArrayBuffer>, dtype: DType): TensorValue['data'] {
  const { bytes: width, array } = DTYPES[dtype];
  if (width > 1) {
    for (let at = 0; at < bytes.length; at += width) {
      bytes.set(bytes.subarray(at, at + width).toReversed(), at);
    }
  }
  return new array(bytes.buffer);
}
