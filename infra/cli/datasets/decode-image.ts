/** PNG by fast-png, JPEG by libjpeg (mozjpeg) in WebAssembly. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import decodeJpeg, { init } from '@jsquash/jpeg/decode.js';
import { convertIndexedToRgb, decode as decodePng, hasPngSignature } from 'fast-png';
import type { DecodeImage, Image } from '../../../core/datasets/images/image.ts';
import { messageOf } from '../../../core/errors.ts';

const WASM = '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';

/** What libjpeg says and goes on after, with grey in place of what is not there. */
const CUT_OFF = /premature end/iu;

export function imageDecoder(): DecodeImage {
  let said: string[] = [];
  let starting: Promise<void> | undefined;
  const start = async () => {
    const wasmBinary = await readFile(createRequire(import.meta.url).resolve(WASM));
    await init({ wasmBinary, printErr: (line: string) => void said.push(line) });
  };
  return async (bytes) => {
    if (hasPngSignature(bytes)) return png(bytes);
    if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error('neither PNG nor JPEG');
    await (starting ??= start());
    said = [];
    let image: { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray };
    try {
      image = await decodeJpeg(bytes.buffer, { preserveOrientation: true });
    } catch (cause) {
      // What is thrown is a C++ exception; what libjpeg said is the reason.
      throw new Error(`not a JPEG that can be read: ${said[0] ?? 'it is broken'}`, { cause });
    }
    if (said.some((line) => CUT_OFF.test(line))) throw new Error('the JPEG is cut off');
    return { width: image.width, height: image.height, channels: 4, data: image.data };
  };
}

/** The decoder reads past the end of what is cut off. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof RangeError) return 'it is cut off';
  return messageOf(thrown).replace(/:\s*$/u, '');
}

function png(bytes: Uint8Array<ArrayBuffer>): Image {
  let decoded: ReturnType<typeof decodePng>;
  try {
    decoded = decodePng(bytes, { checkCrc: true });
  } catch (cause) {
    throw new Error(`not a PNG that can be read: ${reasonOf(cause)}`, { cause });
  }
  const { width, height, depth, palette } = decoded;
  if (palette !== undefined) {
    const channels = palette[0]?.length === 4 ? 4 : 3;
    return { width, height, channels, data: convertIndexedToRgb(decoded) };
  }
  const channels = decoded.channels as Image['channels'];
  return { width, height, channels, data: eightBits(decoded.data, depth, width * channels) };
}

/** @param perRow values of a row: rows of less than 8 bits a value begin at a byte */
function eightBits(data: ArrayLike<number>, depth: number, perRow: number): Uint8Array {
  if (depth === 8) return data as Uint8Array;
  if (depth === 16) return Uint8Array.from(data, (value) => value >> 8);
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(perRow / perByte);
  const highest = 2 ** depth - 1;
  return Uint8Array.from({ length: (data.length / rowBytes) * perRow }, (_, i) => {
    const at = i % perRow;
    const byte = data[Math.floor(i / perRow) * rowBytes + Math.floor(at / perByte)]!;
    const value = (byte >> (8 - depth * ((at % perByte) + 1))) & highest;
    return (value * 255) / highest;
  });
}
