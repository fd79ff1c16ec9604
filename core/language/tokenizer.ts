/**
 * Byte-pair encoding with scores (Sennrich et al. 2016, arXiv:1508.07909; SentencePiece: Kudo & Richardson 2018,
 * arXiv:1808.06226) as llama2.c does it, and its `tokenizer.bin`: the longest piece's bytes (uint32), then for each
 * token its score (float32), its bytes (uint32 length, then the bytes), little-endian.
 */
import { Fault } from '../errors.ts';
import { mergePairs } from './merge-pairs.ts';

export interface Tokenizer {
  /** Tokens there are: ids run from 0 to below it. */
  readonly vocabulary: number;
  /** Begin of text, and end of text: what a generated text stops at. */
  readonly begin: number;
  readonly end: number;
  /** Begin of text, a space that stands before every text, and the text. */
  encode(text: string): Uint32Array<ArrayBuffer>;
  /** Tokens of what follows a text: without what stands before one. */
  encodeMore(text: string): Uint32Array<ArrayBuffer>;
  /** Whether no token reaches from one character over to the next: cut there, the parts have the tokens of the whole. */
  isBorder(left: string, right: string): boolean;
  /**
   * The text; malformed UTF-8 becomes U+FFFD. Right after a begin of text a leading space is left out, as encoding
   * put it there; begin and end of text themselves are not shown.
   * @throws Fault `invalid` for an id that is no token
   */
  decode(tokens: Iterable<number>): string;
}

const BEGIN = 1;
const END = 2;
/** Ids 3 to 258 are the 256 bytes, for characters that are no token. */
const FIRST_BYTE = 3;
const SPACE = 0x20;

interface Vocabulary {
  /** A byte per character, so that pieces of broken UTF-8 can be keys. */
  readonly pieces: readonly string[];
  readonly scores: Float32Array;
}

const bad = (what: string) =>
  new Fault('invalid', `not a llama2.c tokenizer: ${what}`, { field: 'tokenizer' });

/** @throws Fault `invalid` saying where the file is wrong */
export function parseTokenizer(bytes: Uint8Array): Tokenizer {
  const vocabulary = readVocabulary(bytes);
  const { pieces } = vocabulary;
  for (let byte = 0; byte < 256; byte++) {
    const piece = pieces[FIRST_BYTE + byte];
    if (piece === undefined) throw bad(`it has ${pieces.length} tokens, fewer than the 259 that all have`);
    if (!isByte(piece, byte)) throw bad(`token ${FIRST_BYTE + byte} is not byte ${byte}`);
  }
  return createTokenizer(vocabulary);
}

function readVocabulary(bytes: Uint8Array): Vocabulary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) throw bad(`the header needs 4 bytes, there are ${bytes.length}`);
  const pieces: string[] = [];
  const scores: number[] = [];
  let at = 4;
  while (at < bytes.length) {
    const token = pieces.length;
    if (at + 8 > bytes.length) throw bad(`it ends within token ${token}`);
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length)
      throw bad(`token ${token} has ${length} bytes, of which ${bytes.length - at - 8} are there`);
    scores.push(view.getFloat32(at, true));
    pieces.push(binary(bytes.subarray(at + 8, at + 8 + length)));
    at += 8 + length;
  }
  return { pieces, scores: Float32Array.from(scores) };
}

const binary = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const utf8 = new TextEncoder();

const isByteToken = (id: number): boolean => id >= FIRST_BYTE && id < FIRST_BYTE + 256;

/** Written `<0x0A>`, or in files of July 2023 as the character of that number, in UTF-8. */
function isByte(piece: string, byte: number): boolean {
  const hex = byte.toString(16).toUpperCase().padStart(2, '0');
  return piece === `<0x${hex}>` || piece === binary(utf8.encode(String.fromCharCode(byte)));
}

function createTokenizer({ pieces, scores }: Vocabulary): Tokenizer {
  const ids = new Map<string, number>();
  // A byte stands for itself only where its character is no token: it is not found by its spelling, and never merged.
  pieces.forEach((piece, id) => {
    if (!isByteToken(id) && !ids.has(piece)) ids.set(piece, id);
  });
  const ranks = ranksOf(scores);
  const pairs = new Map<number, number | undefined>();
  const merged = (left: number, right: number): number | undefined => {
    if (isByteToken(left) || isByteToken(right)) return undefined;
    const pair = left * pieces.length + right;
    const known = pairs.get(pair);
    if (known !== undefined || pairs.has(pair)) return known;
    const id = ids.get(pieces[left]! + pieces[right]!);
    pairs.set(pair, id);
    return id;
  };
  const space = ids.get(' ') ?? FIRST_BYTE + SPACE;

  const neighbours = neighboursIn(pieces);

  const encode = (text: string) => merge(text, text === '' ? [BEGIN] : [BEGIN, space]);

  function merge(text: string, tokens: number[]): Uint32Array<ArrayBuffer> {
    for (const character of text) {
      const bytes = utf8.encode(character);
      const id = ids.get(binary(bytes));
      if (id === undefined) for (const byte of bytes) tokens.push(FIRST_BYTE + byte);
      else tokens.push(id);
    }
    return mergePairs(Uint32Array.from(tokens), merged, ranks);
  }

  function decode(tokens: Iterable<number>): string {
    const bytes: number[] = [];
    let isStart = false;
    for (const token of tokens) {
      const piece = pieces[token];
      if (piece === undefined)
        throw new Fault('invalid', `${token} is no token: they run from 0 to ${pieces.length - 1}`, {
          field: 'tokens',
        });
      if (isByteToken(token)) bytes.push(token - FIRST_BYTE);
      else if (token !== BEGIN && token !== END)
        for (let i = isStart && piece.startsWith(' ') ? 1 : 0; i < piece.length; i++)
          bytes.push(piece.charCodeAt(i));
      isStart = token === BEGIN;
    }
    return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  return {
    vocabulary: pieces.length,
    begin: BEGIN,
    end: END,
    encode,
    encodeMore: (text) => merge(text, []),
    isBorder: (left, right) => !neighbours.has(left + right),
    decode,
  };
}

/** Characters that stand side by side in a piece. Merging makes pieces only, so others are never joined. */
function neighboursIn(pieces: readonly string[]): ReadonlySet<string> {
  const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  const pairs = new Set<string>();
  pieces.forEach((piece, id) => {
    if (isByteToken(id)) return;
    let left: string | undefined;
    for (const right of decoder.decode(Uint8Array.from(piece, (byte) => byte.charCodeAt(0)))) {
      if (left !== undefined) pairs.add(left + right);
      left = right;
    }
  });
  return pairs;
}

/** 0 for the highest score; equal scores have one rank. */
function ranksOf(scores: Float32Array): Uint32Array {
  const distinct = [...new Set(scores)].sort((a, b) => b - a);
  const rankOf = new Map(distinct.map((score, rank) => [score, rank]));
  return Uint32Array.from(scores, (score) => rankOf.get(score)!);
}
