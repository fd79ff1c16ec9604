/** One tensor per output, rows first, in the output's own element type; the metadata says which rows they are. */
import { encodeSafetensors } from '../../tensors/safetensors.ts';
import type { Format } from './format.ts';

export const safetensors: Format = {
  extension: 'safetensors',
  contentType: 'application/octet-stream',
  encode: ({ start, rows, tensors }) =>
    encodeSafetensors(tensors, { start: String(start), end: String(start + rows) }),
};
