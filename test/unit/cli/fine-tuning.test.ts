import { describe, expect, it } from 'vitest';
import { parseInit, parseLora } from '../../../infra/cli/commands/train/fine-tuning.ts';

describe('--lora', () => {
  it('reads rank, alpha and targets', () => {
    expect(parseLora('rank=8,alpha=16')).toEqual({ rank: 8, alpha: 16, target: ['*'] });
    expect(parseLora('alpha=0.5, rank=1, target=*.query.*|*.value.*,target=head.weight')).toEqual({
      rank: 1,
      alpha: 0.5,
      target: ['*.query.*', '*.value.*', 'head.weight'],
    });
  });

  it.each([
    ['rank=8', /alpha is missing/],
    ['8', /"8" has no equals sign/],
    ['rank=8,alpha=', /"alpha=" lacks a side/],
    ['rank=eight,alpha=1', /rank: "eight" is no number/],
    ['rank=8,rank=8,alpha=1', /rank is there twice/],
    ['rank=8,alpha=1,layers=2', /layers is no part of it/],
    ['rank=1.5,alpha=1', /rank/],
    ['rank=2000,alpha=1', /rank: .*1024/],
    ['rank=2,alpha=-1', /alpha: .*0/],
    ['rank=2,alpha=1,target=a||b', /target\[1\]/],
  ])('refuses %s', (text, message) => {
    expect(() => parseLora(text)).toThrow(message);
  });
});

describe('--init', () => {
  it('reads one method for all, or one per pattern', () => {
    expect(parseInit('kaiming')).toEqual([{ match: '*', with: 'kaiming' }]);
    expect(parseInit('head.*=xavier, a=b=zeros,*=normal:0.3')).toEqual([
      { match: 'head.*', with: 'xavier' },
      { match: 'a=b', with: 'zeros' },
      { match: '*', with: 'normal', std: 0.3 },
    ]);
    expect(parseInit('normal')).toEqual([{ match: '*', with: 'normal', std: 0.02 }]);
  });

  it.each([
    ['he', /he is none of kaiming, xavier/],
    ['', /nothing is none of/],
    ['x=', /"x=" lacks a side/],
    ['zeros:1', /zeros takes no number/],
    ['normal:wide', /"wide" is no number/],
    ['normal:0', /std/],
  ])('refuses %j', (text, message) => {
    expect(() => parseInit(text)).toThrow(message);
  });
});
