/**
 * One row per element type, with its name in every format we speak:
 * ONNX `TensorProto.DataType`, safetensors, Open Inference Protocol v2 and ONNX Runtime.
 */

interface DTypeRow {
  readonly onnx: number;
  readonly safetensors: string;
  /** Open Inference Protocol v2 `datatype`. */
  readonly oip: string;
  /** ONNX Runtime's `Tensor.type`. */
  readonly ort: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly array: NumericArrayConstructor;
}

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

type NumericArrayConstructor =
  | typeof Float32Array
  | typeof Float64Array
  | typeof Int8Array
  | typeof Uint8Array
  | typeof Int16Array
  | typeof Uint16Array
  | typeof Int32Array
  | typeof Uint32Array
  | typeof BigInt64Array
  | typeof BigUint64Array;

export const DTYPES = {
  F32: { onnx: 1, safetensors: 'F32', oip: 'FP32', ort: 'float32', bytes: 4, array: Float32Array },
  F64: { onnx: 11, safetensors: 'F64', oip: 'FP64', ort: 'float64', bytes: 8, array: Float64Array },
  I8: { onnx: 3, safetensors: 'I8', oip: 'INT8', ort: 'int8', bytes: 1, array: Int8Array },
  U8: { onnx: 2, safetensors: 'U8', oip: 'UINT8', ort: 'uint8', bytes: 1, array: Uint8Array },
  I16: { onnx: 5, safetensors: 'I16', oip: 'INT16', ort: 'int16', bytes: 2, array: Int16Array },
  U16: { onnx: 4, safetensors: 'U16', oip: 'UINT16', ort: 'uint16', bytes: 2, array: Uint16Array },
  I32: { onnx: 6, safetensors: 'I32', oip: 'INT32', ort: 'int32', bytes: 4, array: Int32Array },
  U32: { onnx: 12, safetensors: 'U32', oip: 'UINT32', ort: 'uint32', bytes: 4, array: Uint32Array },
  I64: { onnx: 7, safetensors: 'I64', oip: 'INT64', ort: 'int64', bytes: 8, array: BigInt64Array },
  U64: { onnx: 13, safetensors: 'U64', oip: 'UINT64', ort: 'uint64', bytes: 8, array: BigUint64Array },
  BOOL: { onnx: 9, safetensors: 'BOOL', oip: 'BOOL', ort: 'bool', bytes: 1, array: Uint8Array },
} as const satisfies Record<string, DTypeRow>;

/** safetensors' names are ours: the shortest, and a superset of what the rest need. */
export type DType = keyof typeof DTYPES;

export const DTYPE_NAMES = Object.keys(DTYPES) as [DType, ...DType[]];

function index<K>(column: (row: DTypeRow) => K): ReadonlyMap<K, DType> {
  return new Map(DTYPE_NAMES.map((name) => [column(DTYPES[name]), name]));
}

const BY_ONNX = index((row) => row.onnx);
const BY_SAFETENSORS = index((row) => row.safetensors);
const BY_ORT = index((row) => row.ort);

export const dtypeOfOnnx = (code: number): DType | undefined => BY_ONNX.get(code);
export const dtypeOfSafetensors = (name: string): DType | undefined => BY_SAFETENSORS.get(name);
export const dtypeOfOrt = (name: string): DType | undefined => BY_ORT.get(name);
