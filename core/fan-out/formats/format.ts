/** How predictions become a file. The same rows give the same bytes. */
import type { TensorValue } from '../../tensors/tensor.ts';

export interface Predictions {
  /** Of the first row in the whole split. */
  readonly start: number;
  readonly rows: number;
  /** By output, in order; each rows first. */
  readonly tensors: ReadonlyMap<string, TensorValue>;
}

export interface Format {
  readonly extension: string;
  readonly contentType: string;
  encode(predictions: Predictions): Uint8Array<ArrayBuffer>;
}

/** Copied once more: Workers' type of TextEncoder leaves open whether its bytes are of shared memory. */
export const utf8 = (text: string) => new Uint8Array(new TextEncoder().encode(text));
