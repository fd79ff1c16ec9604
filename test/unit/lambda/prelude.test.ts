import { describe, expect, it } from 'vitest';
import { preludeReader } from '../../../infra/local/lambda/prelude.ts';

const METADATA = { statusCode: 201, headers: { a: 'ü' } };
const WHOLE = Buffer.concat([Buffer.from(JSON.stringify(METADATA)), Buffer.alloc(8), Buffer.from('\0body')]);
const END = WHOLE.length - '\0body'.length;

describe('the prelude of a streamed answer', () => {
  it('is found wherever the pieces are cut', () => {
    for (let cut = 0; cut <= WHOLE.length; cut++) {
      const read = preludeReader();
      const first = read(WHOLE.subarray(0, cut));
      expect(first.kind).toBe(cut < END ? 'incomplete' : 'complete');
      const whole = first.kind === 'complete' ? first : read(WHOLE.subarray(cut));
      if (whole.kind !== 'complete') throw new Error('incomplete');
      const rest = first.kind === 'complete' ? WHOLE.subarray(END, cut) : WHOLE.subarray(END);
      expect(whole.metadata).toEqual(METADATA);
      expect(Buffer.from(whole.rest)).toEqual(rest);
    }
  });

  it('has no metadata where it is no JSON', () => {
    expect(preludeReader()(Buffer.concat([Buffer.from('{'), Buffer.alloc(8)]))).toMatchObject({
      kind: 'complete',
      metadata: undefined,
    });
  });
});
