import { describe, expect, it } from 'vitest';
import { CascadeSpec } from '../../../../core/contracts/cascade.ts';
import { cascadeOf, parseCascade } from '../../../../core/routing/cascade/header.ts';

const read = (text: string) => parseCascade(text, 'h');

describe('a cascade as text', () => {
  it('names the filter by its threshold', () => {
    expect(read('threshold=0.9')).toEqual({ filter: 'threshold', threshold: 0.9 });
    expect(read(' margin=0.4, output=p ,scores=logits, large=big/3')).toEqual({
      filter: 'margin',
      threshold: 0.4,
      output: 'p',
      scores: 'logits',
      large: { model: 'big', version: 3 },
    });
    expect(read('large=big')).toEqual({ large: { model: 'big' } });
    expect(read('off')).toBe('off');
  });

  it.each([
    ['', 'not nothing'],
    ['0.9', 'not 0.9'],
    ['threshold=', 'not threshold='],
    ['confidence=0.9', 'not confidence=0.9'],
    ['threshold=high', 'threshold'],
    ['threshold=1.5', 'threshold'],
    ['threshold=0x1', 'threshold: must be a decimal number from 0 to 1, is 0x1'],
    ['margin=Infinity', 'margin: must be a decimal number from 0 to 1, is Infinity'],
    ['threshold=0.9,large=big/0x1', 'large.version'],
    ['threshold=0.9,large=big/', 'large.version'],
    ['threshold=0.9,margin=0.2', 'margin=0.2 comes second'],
    ['threshold=0.9,large=Big', 'large.model'],
    ['threshold=0.9,large=big/0', 'large.version'],
    ['threshold=0.9,large=big/x', 'large.version'],
    ['threshold=0.9,scores=odds', 'scores'],
  ])('is refused where it is wrong: %s', (text, what) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'invalid', field: 'h' }));
    expect(() => read(text)).toThrow(what);
  });
});

describe('the cascade of a request', () => {
  const release = CascadeSpec.parse({ threshold: 0.9, scores: 'logits', large: { model: 'big' } });

  it('is the release’s, but for what the request says', () => {
    expect(cascadeOf(undefined, undefined, 'h')).toBeUndefined();
    expect(cascadeOf(release, undefined, 'h')).toEqual(release);
    expect(cascadeOf(release, 'off', 'h')).toBeUndefined();
    expect(cascadeOf(release, read('margin=0.2'), 'h')).toEqual({
      filter: 'margin',
      threshold: 0.2,
      scores: 'logits',
      large: { model: 'big' },
    });
    expect(cascadeOf(undefined, read('entropy=0.2'), 'h')).toEqual({
      filter: 'entropy',
      threshold: 0.2,
      scores: 'probabilities',
    });
  });

  it('needs a threshold from one of them', () => {
    expect(() => cascadeOf(undefined, read('large=big'), 'h')).toThrow('give a threshold');
  });
});
