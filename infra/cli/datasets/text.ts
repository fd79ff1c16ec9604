/** A text file as rows of tokens and the tokens after them. */
import { readFile } from 'node:fs/promises';
import type { Columns } from '../../../core/datasets/columns.ts';
import { Fault } from '../../../core/errors.ts';
import { textRows } from '../../../core/language/rows.ts';
import { parseTokenizer } from '../../../core/language/tokenizer.ts';

/** Without a tokenizer each byte is a token. */
const BYTES = 256;

export interface TextOptions {
  /** llama2.c's `tokenizer.bin`. */
  readonly tokenizer?: string;
  /** Tokens of one row. */
  readonly length: number;
  /** Share of the text, from its end, that becomes the test split; 0 < share < 1. */
  readonly testShare: number;
}

/**
 * @returns `tokens` and `targets` [length] per row, U8, U16 or I32 by the vocabulary
 * @throws Fault `invalid` naming the file and what is wrong with it
 */
export async function readText(
  path: string,
  options: TextOptions,
): Promise<{ readonly train: Columns; readonly test: Columns }> {
  const bytes = await readOf(path);
  const rows = { length: options.length, testShare: options.testShare };
  if (options.tokenizer === undefined) return textRows(bytes, { ...rows, vocabulary: BYTES });
  const tokenizer = parseTokenizer(await readOf(options.tokenizer));
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (cause) {
    throw new Fault('invalid', `${path}: it is not UTF-8`, { cause });
  }
  return textRows(tokenizer.encode(text), { ...rows, vocabulary: tokenizer.vocabulary });
}

async function readOf(path: string): Promise<Buffer<ArrayBuffer>> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    throw new Fault('invalid', `${path}: cannot be read (${reason})`, { cause });
  }
}
