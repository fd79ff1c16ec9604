/**
 * The messages of onnx.proto (github.com/onnx/onnx, IR version 10) that we read and write, and their fields' numbers.
 * Names are onnx.proto's in camel case. What is left out (training info, functions, sparse tensors, quantization
 * annotations) survives a round trip as unknown fields.
 */
import {
  bytes,
  double,
  float,
  int32,
  int64,
  integer,
  message,
  optional,
  repeated,
  string,
  text,
  uint64,
  type Message,
  type Table,
} from './wire.ts';

/** `AttributeProto.AttributeType`. */
export const ATTRIBUTE = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
} as const;

/** `TensorProto.DataLocation`: the data lies in another file. */
export const EXTERNAL = 1;

export interface StringEntry extends Message {
  readonly key: string;
  readonly value: string;
}

export interface TensorProto extends Message {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType?: number | undefined;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly stringData: readonly Uint8Array[];
  readonly int64Data: readonly bigint[];
  /** Little-endian elements: a view of the decoded file. */
  readonly rawData?: Uint8Array | undefined;
  readonly doubleData: readonly number[];
  readonly uint64Data: readonly bigint[];
  readonly docString: string;
  readonly externalData: readonly StringEntry[];
  readonly dataLocation?: number | undefined;
}

export interface Dimension extends Message {
  readonly dimValue?: number | undefined;
  readonly dimParam: string;
  readonly denotation: string;
}

export interface TensorShape extends Message {
  readonly dim: readonly Dimension[];
}

export interface TensorType extends Message {
  readonly elemType?: number | undefined;
  readonly shape?: TensorShape | undefined;
}

export interface TypeProto extends Message {
  readonly tensorType?: TensorType | undefined;
  readonly denotation: string;
}

export interface ValueInfo extends Message {
  readonly name: string;
  readonly type?: TypeProto | undefined;
  readonly docString: string;
}

export interface AttributeProto extends Message {
  readonly name: string;
  readonly f?: number | undefined;
  readonly i?: bigint | undefined;
  readonly s?: Uint8Array | undefined;
  readonly t?: TensorProto | undefined;
  readonly g?: GraphProto | undefined;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  readonly tensors: readonly TensorProto[];
  readonly graphs: readonly GraphProto[];
  readonly docString: string;
  readonly type?: number | undefined;
  readonly refAttrName: string;
}

export interface NodeProto extends Message {
  /** The empty string stands for an optional input or output left out. */
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly AttributeProto[];
  readonly docString: string;
  /** '' is the default domain, also spelled `ai.onnx`. */
  readonly domain: string;
}

export interface GraphProto extends Message {
  readonly node: readonly NodeProto[];
  readonly name: string;
  readonly initializer: readonly TensorProto[];
  readonly docString: string;
  readonly input: readonly ValueInfo[];
  readonly output: readonly ValueInfo[];
  readonly valueInfo: readonly ValueInfo[];
}

export interface OperatorSet extends Message {
  readonly domain: string;
  readonly version?: number | undefined;
}

export interface ModelProto extends Message {
  readonly irVersion?: number | undefined;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion?: bigint | undefined;
  readonly docString: string;
  readonly graph?: GraphProto | undefined;
  readonly opsetImport: readonly OperatorSet[];
  readonly metadataProps: readonly StringEntry[];
}

const STRING_ENTRY: Table<StringEntry> = { key: text(1), value: text(2) };

export const TENSOR: Table<TensorProto> = {
  dims: repeated(1, integer),
  dataType: optional(2, int32),
  floatData: repeated(4, float, 'packed'),
  int32Data: repeated(5, int32, 'packed'),
  stringData: repeated(6, bytes),
  int64Data: repeated(7, int64, 'packed'),
  name: text(8),
  rawData: optional(9, bytes),
  doubleData: repeated(10, double, 'packed'),
  uint64Data: repeated(11, uint64, 'packed'),
  docString: text(12),
  externalData: repeated(
    13,
    message(() => STRING_ENTRY),
  ),
  dataLocation: optional(14, int32),
};
const tensor = message(() => TENSOR);

const DIMENSION: Table<Dimension> = {
  dimValue: optional(1, integer),
  dimParam: text(2),
  denotation: text(3),
};
const SHAPE: Table<TensorShape> = {
  dim: repeated(
    1,
    message(() => DIMENSION),
  ),
};
const TENSOR_TYPE: Table<TensorType> = {
  elemType: optional(1, int32),
  shape: optional(
    2,
    message(() => SHAPE),
  ),
};
const TYPE: Table<TypeProto> = {
  tensorType: optional(
    1,
    message(() => TENSOR_TYPE),
  ),
  denotation: text(6),
};
const VALUE_INFO: Table<ValueInfo> = {
  name: text(1),
  type: optional(
    2,
    message(() => TYPE),
  ),
  docString: text(3),
};
const valueInfo = message(() => VALUE_INFO);

const ATTRIBUTE_PROTO: Table<AttributeProto> = {
  name: text(1),
  f: optional(2, float),
  i: optional(3, int64),
  s: optional(4, bytes),
  t: optional(5, tensor),
  g: optional(
    6,
    message(() => GRAPH),
  ),
  floats: repeated(7, float),
  ints: repeated(8, int64),
  strings: repeated(9, bytes),
  tensors: repeated(10, tensor),
  graphs: repeated(
    11,
    message(() => GRAPH),
  ),
  docString: text(13),
  type: optional(20, int32),
  refAttrName: text(21),
};

const NODE: Table<NodeProto> = {
  input: repeated(1, string),
  output: repeated(2, string),
  name: text(3),
  opType: text(4),
  attribute: repeated(
    5,
    message(() => ATTRIBUTE_PROTO),
  ),
  docString: text(6),
  domain: text(7),
};

const GRAPH: Table<GraphProto> = {
  node: repeated(
    1,
    message(() => NODE),
  ),
  name: text(2),
  initializer: repeated(5, tensor),
  docString: text(10),
  input: repeated(11, valueInfo),
  output: repeated(12, valueInfo),
  valueInfo: repeated(13, valueInfo),
};

const OPERATOR_SET: Table<OperatorSet> = { domain: text(1), version: optional(2, integer) };

export const MODEL: Table<ModelProto> = {
  irVersion: optional(1, integer),
  producerName: text(2),
  producerVersion: text(3),
  domain: text(4),
  modelVersion: optional(5, int64),
  docString: text(6),
  graph: optional(
    7,
    message(() => GRAPH),
  ),
  opsetImport: repeated(
    8,
    message(() => OPERATOR_SET),
  ),
  metadataProps: repeated(
    14,
    message(() => STRING_ENTRY),
  ),
};
