/** How far an import is: one line that moves on a terminal, now and then a line elsewhere. */
import type { ImportProgress } from '../../../core/datasets/import.ts';
import { progressBar } from '../progress.ts';

/** Milliseconds between lines. */
const EVERY = { terminal: 100, plain: 5000 } as const;

export interface ImportDisplay {
  readonly show: (progress: ImportProgress) => void;
  /** Leaves the line; to be called when the import is over, also more than once. */
  readonly end: () => void;
}

const WORDS: Readonly<Record<ImportProgress['stage'], string>> = {
  reading: 'looking at the rows',
  writing: 'storing them',
};

/** @param now milliseconds, of any origin */
export function showImport(
  stream: { readonly isTTY?: boolean; write(text: string): unknown },
  { now, quiet }: { readonly now: () => number; readonly quiet: boolean },
): ImportDisplay {
  const isTerminal = stream.isTTY === true;
  const every = isTerminal ? EVERY.terminal : EVERY.plain;
  // Small imports are over before there is anything to say.
  let last = now();
  let isOpen = false;
  return {
    show(progress) {
      if (quiet || now() - last < every) return;
      last = now();
      const line = importLine(progress);
      stream.write(isTerminal ? `\r\u001b[K${line}` : `${line}\n`);
      isOpen = isTerminal;
    },
    end() {
      if (isOpen) stream.write('\r\u001b[K');
      isOpen = false;
    },
  };
}

export function importLine({ stage, done, total, shards }: ImportProgress): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  const stored = shards === 0 ? '' : ` · ${shards} shards stored`;
  return `${progressBar(share)} ${WORDS[stage]} · ${megabytes(done)} of ${megabytes(total)} MB${stored}`;
}
