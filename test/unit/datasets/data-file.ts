import type { DataFile } from '../../../core/datasets/data-file.ts';

/** A file in memory. */
export function memoryFile(name: string, content: string | Uint8Array): DataFile {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { name, size: bytes.length, read: (start, end) => Promise.resolve(bytes.slice(start, end)) };
}
