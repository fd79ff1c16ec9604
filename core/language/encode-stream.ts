/** Tokens of a text that comes in pieces, however long it is: the same as of the whole. */
import { Fault } from '../errors.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Characters that are encoded at once. */
const PART = 1 << 16;
/** A text that has no place to be cut in so many is none of this tokenizer's. */
const MAX_PART = 1 << 24;

/** @throws Fault `invalid` where the text cannot be cut anywhere */
export async function* encodeStream(
  tokenizer: Tokenizer,
  pieces: AsyncIterable<string>,
): AsyncGenerator<Uint32Array<ArrayBuffer>> {
  let text = '';
  let encode = (part: string) => tokenizer.encode(part);
  for await (const piece of pieces) {
    text += piece;
    while (text.length > PART) {
      const cut = lastBorder(tokenizer, text, Math.min(text.length, 2 * PART));
      if (cut === 0 && text.length > MAX_PART)
        throw new Fault('invalid', `${MAX_PART} characters that no border between tokens is in`, {
          field: 'tokenizer',
        });
      if (cut === 0) break;
      yield encode(text.slice(0, cut));
      encode = (part) => tokenizer.encodeMore(part);
      text = text.slice(cut);
    }
  }
  yield encode(text);
}

/** @returns where the last border before `end` is, 0 where there is none */
function lastBorder(tokenizer: Tokenizer, text: string, end: number): number {
  for (let at = end - 1; at > 0; at--) {
    const right = text.codePointAt(at)!;
    const isPair = at >= 2 && text.codePointAt(at - 2)! > 0xffff;
    const left = text.codePointAt(isPair ? at - 2 : at - 1)!;
    // Within a surrogate pair there is no border.
    if (left > 0xffff && !isPair) continue;
    if (tokenizer.isBorder(String.fromCodePoint(left), String.fromCodePoint(right))) return at;
  }
  return 0;
}
