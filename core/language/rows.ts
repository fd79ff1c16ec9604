/** A text's tokens as rows for next-token prediction. */
import { type Column, columns, type Columns } from '../datasets/columns.ts';
import { Fault } from '../errors.ts';
import { DTYPES } from '../tensors/dtypes.ts';

export interface TextRowsOptions {
  /** Tokens of one row. */
  readonly length: number;
  /** Ids run from 0 to below it; it decides the element type that is stored. */
  readonly vocabulary: number;
  /** Share of the tokens, from the end, that become the test split; 0 < share < 1. */
  readonly testShare: number;
}

/** The smallest of U8, U16 and I32 that holds the ids. */
export const tokenDType = (vocabulary: number): 'U8' | 'U16' | 'I32' =>
  vocabulary <= 2 ** 8 ? 'U8' : vocabulary <= 2 ** 16 ? 'U16' : 'I32';

/** Consecutive rows of one split: from which token on, and how many. */
export interface TextRange {
  readonly split: 'train' | 'test';
  readonly start: number;
  readonly rows: number;
}

/**
 * The text is cut in two before it is cut into rows, so no token of one split is a target of the other; what does not
 * fill a row at either end is left out.
 * @param tokens how many there are
 * @throws Fault `invalid` where a split would have no row
 */
export function textCut(tokens: number, length: number, testShare: number): [TextRange, TextRange] {
  const cut = Math.round(tokens * (1 - testShare));
  const range = (split: TextRange['split'], start: number, end: number): TextRange => {
    // The last token of all has none after it.
    const rows = Math.floor((end - start - 1) / length);
    if (rows < 1)
      throw new Fault(
        'invalid',
        `the ${split} split has ${end - start} tokens: a row of ${length} and its targets need ${length + 1}`,
        { field: 'length' },
      );
    return { split, start, rows };
  };
  return [range('train', 0, cut), range('test', cut, tokens)];
}

/**
 * Consecutive rows of `tokens` [length] and `targets` [length], each the token after the one at its place, cut by
 * {@link textCut}.
 * @throws Fault `invalid` where a split would have no row
 */
export function textRows(
  tokens: ArrayLike<number>,
  { length, vocabulary, testShare }: TextRowsOptions,
): { readonly train: Columns; readonly test: Columns } {
  const dtype = tokenDType(vocabulary);
  const split = ({ start, rows }: TextRange): Columns => {
    const from = (offset: number): Column => {
      const data = new DTYPES[dtype].array(rows * length);
      for (let i = 0; i < data.length; i++) data[i] = tokens[start + offset + i]!;
      return { spec: { dtype, shape: [length] }, data };
    };
    return columns({ tokens: from(0), targets: from(1) });
  };
  const [train, test] = textCut(tokens.length, length, testShare);
  return { train: split(train), test: split(test) };
}
