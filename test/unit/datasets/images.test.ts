/** Pixels of every kind of PNG and JPEG, beside Pillow's. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planesOf } from '../../../core/datasets/images/image.ts';
import { resize } from '../../../core/datasets/images/resize.ts';
import { imageSource } from '../../../core/datasets/sources/images.ts';
import { collect } from '../../../core/datasets/sources/memory.ts';
import { imageDecoder } from '../../../infra/cli/datasets/decode-image.ts';
import { imageFiles } from '../../../infra/cli/datasets/image-folder.ts';
import { EXPECTED, fixture, FIXTURES } from './formats.ts';

const decode = imageDecoder();

test.each(Object.entries(EXPECTED.images))('%s', async (name, expected) => {
  const file = await fixture(join('shapes', name));
  const image = await decode(await file.read(0, file.size));
  expect([image.width, image.height]).toEqual([10, 8]);
  const planes = planesOf(image, 3);
  expect([...planes.data]).toEqual(expected.rgb);
  expect([...planesOf(image, 1).data]).toEqual(expected.grey);
  const furthest = (found: Uint8Array, wanted: readonly number[]) => {
    expect(found).toHaveLength(wanted.length);
    return Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));
  };
  // Pillow's weights are fixed-point, and each of the two directions rounds.
  expect(furthest(resize(planes, 3, 4).data, expected.small)).toBeLessThanOrEqual(2);
  expect(furthest(resize(planes, 12, 15).data, expected.large)).toBeLessThanOrEqual(2);
});

test('a folder is a class, and the seed mixes them', async () => {
  const files = await imageFiles(join(FIXTURES, 'shapes/train'), join(FIXTURES, 'shapes/test'));
  const open = (seed: number) => imageSource(files, { channels: 3, seed, decode });
  const { train, test: held } = await collect(await open(1));
  const seen = Array.from({ length: 6 }, (_, row) => {
    const pixels = [...train!.tensors['image']!.data.subarray(row * 240, (row + 1) * 240)].map(Number);
    const label = ['disc', 'ring'][Number(train!.tensors['label']!.data[row])]!;
    const name = Object.keys(EXPECTED.images).find(
      (name) =>
        name.startsWith(`train/${label}/`) &&
        EXPECTED.images[name]!.rgb.every((value, i) => value === pixels[i]),
    );
    return name;
  });
  expect(seen).not.toContain(undefined);
  expect([...train!.tensors['label']!.data].map(Number).sort((a, b) => a - b)).toEqual([0, 0, 0, 1, 1, 1]);
  expect(held!.rows).toBe(2);
  expect((await collect(await open(1)))['train']).toEqual(train);
  const orders = await Promise.all(
    [1, 2, 3, 4].map(async (seed) => (await collect(await open(seed)))['train']),
  );
  expect(
    orders.some((order) => String(order!.tensors['image']!.data) !== String(train!.tensors['image']!.data)),
  ).toBe(true);
});
