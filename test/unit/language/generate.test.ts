import { describe, expect, test } from 'vitest';
import { generate, type GenerateOptions } from '../../../core/language/generate.ts';
import { createRandom } from '../../../core/random.ts';

async function all(options: GenerateOptions): Promise<number[]> {
  const tokens: number[] = [];
  for await (const token of generate(options)) tokens.push(token);
  return tokens;
}

/** The next token is likely the last one plus one, else the one after that. */
const counting = async (tokens: readonly number[]) => {
  const logits = new Float32Array(10).fill(-4);
  logits[(tokens.at(-1)! + 1) % 10] = 2;
  logits[(tokens.at(-1)! + 2) % 10] = 1;
  return logits;
};

describe('generation', () => {
  test('takes the likeliest token, up to the length', async () => {
    expect(await all({ next: counting, prompt: [4, 5], length: 6 })).toEqual([6, 7, 8, 9]);
    expect(await all({ next: counting, prompt: [4, 5], length: 2 })).toEqual([]);
  });
  test('gives the whole prefix to the model', async () => {
    const seen: number[][] = [];
    const next = async (tokens: readonly number[]) => {
      seen.push([...tokens]);
      return [0, 1];
    };
    await all({ next, prompt: [0], length: 3 });
    expect(seen).toEqual([[0], [0, 1]]);
  });
  test('ends at a stop token', async () => {
    expect(await all({ next: counting, prompt: [1], length: 100, stop: [5, 0] })).toEqual([2, 3, 4]);
  });
  test('takes the first of equals', async () => {
    expect(await all({ next: async () => [1, 3, 3], prompt: [0], length: 2 })).toEqual([1]);
  });
  test('refuses an empty prompt and sampling out of range', async () => {
    await expect(all({ next: counting, prompt: [], length: 3 })).rejects.toThrow('prompt is empty');
    const sampling = { temperature: 1, topP: 1, random: createRandom(1) };
    const attempt = (change: object) =>
      all({ next: counting, prompt: [1], length: 3, sampling: { ...sampling, ...change } });
    await expect(attempt({ temperature: 0 })).rejects.toThrow('temperature is 0');
    await expect(attempt({ topP: 1.5 })).rejects.toThrow('topP is 1.5');
  });
});

describe('sampling', () => {
  const draws = async (temperature: number, topP: number, count = 3000) => {
    const logits = [Math.log(0.6), Math.log(0.3), Math.log(0.1)];
    const random = createRandom(9);
    const sampling = { temperature, topP, random };
    const tokens = await all({ next: async () => logits, prompt: [0], length: count + 1, sampling });
    return [0, 1, 2].map((token) => tokens.filter((each) => each === token).length / count);
  };
  test('follows the distribution', async () => {
    const [a, b, c] = await draws(1, 1);
    expect(a).toBeCloseTo(0.6, 1);
    expect(b).toBeCloseTo(0.3, 1);
    expect(c).toBeCloseTo(0.1, 1);
  });
  test('is sharper at a lower temperature', async () => {
    // 0.6² : 0.3² : 0.1² = 0.783 : 0.196 : 0.022
    const [a, b] = await draws(0.5, 1);
    expect(a).toBeCloseTo(0.783, 1);
    expect(b).toBeCloseTo(0.196, 1);
  });
  test('leaves out what lies beyond the nucleus', async () => {
    const [a, b, c] = await draws(1, 0.8);
    expect(c).toBe(0);
    expect(a).toBeCloseTo(2 / 3, 1);
    expect(b).toBeCloseTo(1 / 3, 1);
    expect(await draws(1, 0.5)).toEqual([1, 0, 0]);
  });
  test('is the same for the same seed', async () => {
    expect(await draws(1, 1, 100)).toEqual(await draws(1, 1, 100));
  });
});
