/**
 * Bilinear resampling whose triangle widens with the scale when an image is made smaller, so that every source pixel
 * counts (as Pillow's `BILINEAR` and torchvision's `antialias=True` do it): first along rows, then along columns, each
 * rounded to whole values.
 */
import type { Planes } from './image.ts';

/** The source pixels that make one target pixel. */
interface Taps {
  readonly start: number;
  readonly weights: Float64Array;
}

export function resize(image: Planes, height: number, width: number): Planes {
  const narrow = image.width === width ? image : resample(image, width, true);
  return narrow.height === height ? narrow : resample(narrow, height, false);
}

function resample(image: Planes, size: number, isAlongRows: boolean): Planes {
  const from = isAlongRows ? image.width : image.height;
  const width = isAlongRows ? size : image.width;
  const height = isAlongRows ? image.height : size;
  const data = new Uint8Array(image.channels * width * height);
  const taps = Array.from({ length: size }, (_, at) => tapsOf(at, from, size));
  const step = isAlongRows ? 1 : image.width;
  let next = 0;
  for (let channel = 0; channel < image.channels; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const { start, weights } = taps[isAlongRows ? x : y]!;
        const row = isAlongRows ? y : start;
        const column = isAlongRows ? start : x;
        let at = (channel * image.height + row) * image.width + column;
        let sum = 0;
        for (const weight of weights) {
          sum += weight * image.data[at]!;
          at += step;
        }
        data[next++] = Math.min(255, Math.max(0, Math.floor(sum + 0.5)));
      }
    }
  }
  return { width, height, channels: image.channels, data };
}

function tapsOf(at: number, from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(1, scale);
  const centre = (at + 0.5) * scale;
  const start = Math.max(0, Math.floor(centre - reach + 0.5));
  const end = Math.min(from, Math.floor(centre + reach + 0.5));
  const weights = Float64Array.from({ length: end - start }, (_, i) =>
    Math.max(0, 1 - Math.abs((start + i + 0.5 - centre) / reach)),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { start, weights: weights.map((weight) => weight / sum) };
}
