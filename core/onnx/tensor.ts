/** TensorProto and our TensorValue. */
import { Fault } from '../errors.ts';
import { DTYPES, dtypeOfOnnx, type DType, type NumericArray } from '../tensors/dtypes.ts';
import { elementCount, type TensorValue } from '../tensors/tensor.ts';
import type { TensorProto } from './proto.ts';

/** Which typed field holds the elements where there is no `raw_data` (onnx.proto, comments of TensorProto). */
const TYPED_FIELD = {
  F32: 'floatData',
  F64: 'doubleData',
  I8: 'int32Data',
  U8: 'int32Data',
  I16: 'int32Data',
  U16: 'int32Data',
  I32: 'int32Data',
  U32: 'uint64Data',
  I64: 'int64Data',
  U64: 'uint64Data',
  BOOL: 'int32Data',
} as const satisfies Record<DType, keyof TensorProto>;

/**
 * @param label how messages name the tensor
 * @throws Fault `invalid` where the data is not as long as the shape says; other dtypes than ours pass unread
 */
export function checkTensor(tensor: TensorProto, label: string, field: string): void {
  const shape = `[${tensor.dims.join(', ')}]`;
  const count = elementCount(tensor.dims);
  if (tensor.dims.some((dimension) => dimension < 0))
    throw new Fault('invalid', `${label} has shape ${shape}: dimensions must not be negative`, { field });
  if (!Number.isSafeInteger(count))
    throw new Fault('invalid', `${label} has shape ${shape}: those are too many elements`, { field });
  const dtype = dtypeOfOnnx(tensor.dataType ?? 0);
  if (dtype === undefined) return;
  const actual =
    tensor.rawData === undefined
      ? tensor[TYPED_FIELD[dtype]].length
      : tensor.rawData.length / DTYPES[dtype].bytes;
  if (actual !== count)
    throw new Fault(
      'invalid',
      `${label} of shape ${shape} needs ${count} elements of ${dtype}, its data holds ${actual}`,
      { field },
    );
}

/**
 * The elements: a view of the file where its bytes are aligned, a copy where not.
 * @throws Fault `unprocessable` for element types we have no array for (float16, strings …)
 */
export function tensorValue(tensor: TensorProto): TensorValue {
  const dtype = dtypeOfOnnx(tensor.dataType ?? 0);
  if (dtype === undefined)
    throw new Fault(
      'unprocessable',
      `tensor ${tensor.name} has ONNX element type ${tensor.dataType ?? 0}: supported are ${Object.keys(DTYPES).join(', ')}`,
      { field: tensor.name },
    );
  checkTensor(tensor, `tensor ${tensor.name}`, tensor.name);
  return { dtype, shape: tensor.dims, data: elements(tensor, dtype) };
}

function elements(tensor: TensorProto, dtype: DType): NumericArray {
  const { rawData } = tensor;
  const { array, bytes } = DTYPES[dtype];
  if (rawData !== undefined) {
    const length = rawData.length / bytes;
    return rawData.byteOffset % bytes === 0
      ? new array(rawData.buffer as ArrayBuffer, rawData.byteOffset, length)
      : new array(Uint8Array.from(rawData).buffer); // not slice(): Node's Buffer does not copy there
  }
  const values = tensor[TYPED_FIELD[dtype]];
  if (dtype === 'I64') return BigInt64Array.from(values as readonly bigint[]);
  if (dtype === 'U64') return BigUint64Array.from(values as readonly bigint[]);
  const numbers = Array.from<number | bigint, number>(values, Number);
  return new (array as new (values: number[]) => NumericArray)(numbers);
}

/** The TensorProto of a value; its raw data is a view of the value's. All machines we run on are little-endian. */
export function tensorProto(name: string, { dtype, shape, data }: TensorValue): TensorProto {
  return {
    name,
    dims: shape,
    dataType: DTYPES[dtype].onnx,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    floatData: [],
    int32Data: [],
    stringData: [],
    int64Data: [],
    doubleData: [],
    uint64Data: [],
    docString: '',
    externalData: [],
  };
}
