/** A decoded image and what a model wants of it. */

export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 red, green and blue, 4 those and alpha; interleaved. */
  readonly channels: 1 | 2 | 3 | 4;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** @throws Error saying why the bytes are no image */
export type DecodeImage = (bytes: Uint8Array<ArrayBuffer>) => Promise<Image>;

/** One byte per pixel and channel, channel by channel: `[channels, height, width]`. */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/**
 * Grey becomes three equal channels, colours become ITU-R BT.601 luma (0.299 R + 0.587 G + 0.114 B, rounded, in 16-bit
 * fixed point); alpha is left out.
 */
export function planesOf({ width, height, channels: from, data }: Image, channels: 1 | 3): Planes {
  const pixels = width * height;
  const planes = new Uint8Array(channels * pixels);
  for (let i = 0; i < pixels; i++) {
    const at = i * from;
    const [red, green, blue] =
      from < 3 ? [data[at]!, data[at]!, data[at]!] : [data[at]!, data[at + 1]!, data[at + 2]!];
    if (channels === 1) {
      planes[i] = from < 3 ? red : (19_595 * red + 38_470 * green + 7471 * blue + 0x8000) >> 16;
    } else {
      planes[i] = red;
      planes[pixels + i] = green;
      planes[2 * pixels + i] = blue;
    }
  }
  return { width, height, channels, data: planes };
}
