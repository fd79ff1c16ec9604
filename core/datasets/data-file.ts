/** A file's bytes, wherever they lie: core knows no file system. */

export interface DataFile {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** @returns bytes `[start, end)` in memory of their own. @throws Fault where they cannot be read */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Large enough that a read costs little beside what is done with it, small beside the memory there is. */
const CHUNK_BYTES = 1 << 20;

/** Bytes `[start, end)` piece by piece, as they are asked for. */
export async function* chunksOf(
  file: DataFile,
  start = 0,
  end = file.size,
  size = CHUNK_BYTES,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = start; at < end; at += size) yield file.read(at, Math.min(end, at + size));
}
