/** Lines of a UTF-8 file, as they come. */
import { Fault } from '../errors.ts';
import { chunksOf, type DataFile } from './data-file.ts';

/** Characters. A longer line is no line: the file is of another format. */
const MAX_LINE = 64 << 20;

/**
 * @returns the lines of each chunk, without their ends (LF or CRLF); numbered by the first's, from 1
 * @throws Fault `invalid` where it is not UTF-8, or a line has no end
 */
export async function* linesOf(
  file: DataFile,
  onRead: (bytes: number) => void,
): AsyncGenerator<{ readonly first: number; readonly lines: readonly string[] }> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  const decode = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new Fault('invalid', `${file.name}: it is not UTF-8`, { cause });
    }
  };
  const chomp = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line);
  let first = 1;
  let rest = '';
  for await (const chunk of chunksOf(file)) {
    const lines = (rest + decode(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE)
      throw new Fault('invalid', `${file.name} line ${first + lines.length}: it has no end`);
    onRead(chunk.length);
    if (lines.length > 0) yield { first, lines: lines.map(chomp) };
    first += lines.length;
  }
  rest += decode();
  if (rest !== '') yield { first, lines: [chomp(rest)] };
}
