/**
 * Open Inference Protocol requests and answers by rows: the hard ones out of a request, and the larger model's answers
 * into the first one. Over the JSON as it is: the router knows no model's signature.
 */

/** As JSON.parse makes it: nothing of it is known to be so. */
type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Tensor extends Json {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** Rows first: `data` is flat, or nested once for each row. */
function isTensor(value: unknown, rows: number): value is Tensor {
  if (!isObject(value) || !Array.isArray(value['shape']) || !Array.isArray(value['data'])) return false;
  const { shape, data } = value as Tensor;
  if (shape[0] !== rows || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) return false;
  return data.length === rows || data.length === rows * perRow(shape);
}

const perRow = (shape: readonly number[]) => shape.slice(1).reduce((product, size) => product * size, 1);

function tensorsOf(list: unknown, rows: number): readonly Tensor[] | undefined {
  if (!Array.isArray(list) || list.length === 0) return undefined;
  return list.every((each): each is Tensor => isTensor(each, rows)) ? list : undefined;
}

/** How many of a tensor's elements, or nested rows, a row has. */
const strideOf = ({ data, shape }: Tensor) => data.length / shape[0]!;

function take(tensor: Tensor, rows: readonly number[]): Tensor {
  const stride = strideOf(tensor);
  const data = rows.flatMap((row) => tensor.data.slice(row * stride, (row + 1) * stride));
  return { ...tensor, shape: [rows.length, ...tensor.shape.slice(1)], data };
}

/** @returns how many rows an infer answer has; undefined where it is none, or its outputs differ in that */
export function rowsOfAnswer(answer: unknown): number | undefined {
  if (!isObject(answer) || !Array.isArray(answer['outputs'])) return undefined;
  const first: unknown = answer['outputs'][0];
  const rows: unknown = isObject(first) && Array.isArray(first['shape']) ? first['shape'][0] : undefined;
  return typeof rows === 'number' && tensorsOf(answer['outputs'], rows) !== undefined ? rows : undefined;
}

/**
 * @param rows of the request
 * @param hard indices below `rows`
 * @returns the request with these rows only; undefined where an input is not one row after the other
 */
export function requestOfRows(request: unknown, rows: number, hard: readonly number[]): Json | undefined {
  if (!isObject(request)) return undefined;
  const inputs = tensorsOf(request['inputs'], rows);
  return inputs && { ...request, inputs: inputs.map((input) => take(input, hard)) };
}

/**
 * @param first the small model's answer
 * @param second the larger model's
 * @param hard where the second's rows belong in the first
 * @returns the first with these rows replaced; undefined where the two do not fit together
 */
export function mergedAnswer(first: unknown, second: unknown, hard: readonly number[]): Json | undefined {
  const rows = rowsOfAnswer(first);
  if (rows === undefined || rowsOfAnswer(second) !== hard.length) return undefined;
  const [ours, theirs] = [first as Json, second as Json].map(({ outputs }) => outputs as readonly Tensor[]);
  const outputs: Tensor[] = [];
  for (const output of ours!) {
    const other = theirs!.find(({ name }) => name === output.name);
    if (other === undefined || !alike(output, other)) return undefined;
    const data = [...output.data];
    const stride = strideOf(output);
    hard.forEach((row, index) => {
      for (let i = 0; i < stride; i++) data[row * stride + i] = other.data[index * stride + i];
    });
    outputs.push({ ...output, data });
  }
  return { ...(first as Json), outputs };
}

const alike = (a: Tensor, b: Tensor) =>
  a.datatype === b.datatype &&
  strideOf(a) === strideOf(b) &&
  a.shape.length === b.shape.length &&
  a.shape.every((size, axis) => axis === 0 || size === b.shape[axis]);
