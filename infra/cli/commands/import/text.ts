/** A text as rows of tokens. */
import type { Command } from 'commander';
import type { ImportProgress } from '../../../../core/datasets/import.ts';
import type { DatasetSource } from '../../../../core/datasets/source.ts';
import { textSource } from '../../../../core/datasets/sources/text.ts';
import { parseTokenizer } from '../../../../core/language/tokenizer.ts';
import { dataFile } from '../../datasets/files.ts';
import { decimal, wholeNumber } from '../options.ts';
import { type CommonOptions, formatCommand, runImport } from './common.ts';

export interface TextFileOptions {
  /** llama2.c's `tokenizer.bin`. */
  readonly tokenizer?: string;
  /** Tokens of one row. */
  readonly length: number;
  /** Share of the text, from its end, that becomes the test split; 0 < share < 1. */
  readonly testShare: number;
}

export function textCommand(): Command {
  return formatCommand('text', 'a text file: rows of tokens, and of the tokens after them')
    .requiredOption('--file <file>', 'the text, UTF-8')
    .option('--tokenizer <file>', "llama2.c's tokenizer.bin (default: each byte is a token)")
    .option('--length <n>', 'tokens of one row', wholeNumber(1, 65_536), 128)
    .option('--test, --test-share <share>', 'share of the text held out, from its end', decimal(0, 0.9), 0.1)
    .action(
      async (
        name: string,
        { file, ...options }: CommonOptions & TextFileOptions & { readonly file: string },
      ) => {
        // The draw is none of a text's: its end is held out.
        const { testShare, ...rest } = options;
        await runImport(name, (show) => openText(file, { ...rest, testShare }, show), rest);
      },
    );
}

/** @throws Fault `invalid` naming the file and what is wrong with it */
export async function openText(
  path: string,
  { tokenizer, length, testShare }: TextFileOptions,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<DatasetSource> {
  const file = await dataFile(path);
  let done = 0;
  const onRead = (bytes: number) => {
    done += bytes;
    onProgress({ stage: 'reading', done, total: file.size, shards: 0 });
  };
  if (tokenizer === undefined) return textSource(file, { length, testShare }, onRead);
  const vocabulary = await dataFile(tokenizer);
  const parsed = parseTokenizer(await vocabulary.read(0, vocabulary.size));
  return textSource(file, { tokenizer: parsed, length, testShare }, onRead);
}
