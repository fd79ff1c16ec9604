import { describe, expect, it } from 'vitest';
import { parse } from '../../../core/contracts/parse.ts';
import { RoutingDefaults } from '../../../core/contracts/routing-defaults.ts';
import { demandOf, readTold, tell } from '../../../core/routing/told.ts';

describe('what a release says of routing', () => {
  it.each<[RoutingDefaults]>([
    [{}],
    [{ target: 'edge' }],
    [{ target: 'cloud-eu-west-1', deadlineMs: 1 }],
    [{ target: 'edge-int8', exclude: ['cloud'], costCeiling: 0, deadlineMs: 600_000, variant: 'fp32' }],
    [{ exclude: ['cloud-us', 'edge'] }],
  ])('may be %j, and comes to the router as it is', (defaults) => {
    expect(parse(RoutingDefaults, defaults)).toEqual(defaults);
    const { variant: _, ...rest } = defaults;
    const text = tell(rest);
    expect(text === undefined ? {} : readTold(text)).toEqual(rest);
    // A header is ASCII, or it does not arrive.
    expect(text ?? '').toMatch(/^[\x20-\x7e]*$/);
  });

  it.each([
    ['target', { target: 'moon' }],
    ['target', { target: 'cloud-only' }],
    ['target', { target: 'cloud-' }],
    ['target', { target: 'edge', exclude: ['edge'] }],
    ['exclude', { exclude: [] }],
    ['exclude', { exclude: ['edge', 'cloud'] }],
    ['exclude[1]', { exclude: ['edge', 'auto'] }],
    ['deadlineMs', { deadlineMs: 0 }],
    ['deadlineMs', { deadlineMs: 600_001 }],
    ['costCeiling', { costCeiling: -1 }],
    ['variant', { variant: 'int4' }],
    ['priority', { priority: 1 }],
  ])('is refused by field: %s of %j', (field, value) => {
    expect(() => parse(RoutingDefaults, value)).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });
});

describe('what is told', () => {
  it('is nothing where there is nothing to tell, and one variant is no choice', () => {
    expect(tell({})).toBeUndefined();
    expect(tell({ variants: ['int8'] })).toBeUndefined();
    expect(readTold(tell({ variants: ['int8', 'fp32'] })!)).toEqual({ variants: ['int8', 'fp32'] });
  });

  it.each([
    '',
    '{',
    '1',
    'null',
    '{"exclude":"cloud"}',
    '{"exclude":[1]}',
    '{"variants":["int4"]}',
    '{"deadlineMs":"1"}',
  ])('is not understood: %s', (text) => {
    expect(readTold(text)).toBeUndefined();
  });
});

describe('what holds for a request', () => {
  const names = new Set(['edge', 'cloud']);
  const hold = (said: Parameters<typeof demandOf>[0], told: Parameters<typeof demandOf>[1]) =>
    demandOf(said, told, { names, deadlineMs: 10_000 });

  it.each([
    ['nothing said', {}, {}, { pin: undefined, deadlineMs: 10_000 }],
    [
      'the release',
      {},
      { target: 'edge', deadlineMs: 5, costCeiling: 2 },
      { pin: 'edge', deadlineMs: 5, costCeiling: 2 },
    ],
    [
      'the request first',
      { target: 'cloud', deadlineMs: 7, costCeiling: 0 },
      { target: 'edge', deadlineMs: 5, costCeiling: 2 },
      { pin: 'cloud', deadlineMs: 7, costCeiling: 0 },
    ],
    ['auto over the release', { target: 'auto' }, { target: 'edge' }, { pin: undefined }],
    ['a target that is not here', {}, { target: 'cloud-eu' }, { pin: undefined }],
    [
      'exclusions of both',
      { exclude: ['edge'] },
      { exclude: ['cloud-eu'] },
      { exclude: ['edge', 'cloud-eu'] },
    ],
  ])('%s', (_, said, told, expected) => {
    expect(hold(said, told)).toMatchObject(expected);
  });
});
