import { describe, expect, it } from 'vitest';
import { CLOUD_CONFIG, EDGE_CONFIG } from '../../../core/inference/config.ts';
import { configured, type Overrides } from '../../../core/inference/overrides.ts';

describe('the environment of a target', () => {
  it('changes nothing where nothing is set', () => {
    const unset = { CAUSEWAY_VARIANTS: '', CAUSEWAY_BATCH_ROWS: undefined, CAUSEWAY_QUEUE_LIMIT: '' };
    for (const config of [EDGE_CONFIG, CLOUD_CONFIG]) {
      expect(configured(config, {})).toEqual(config);
      expect(configured(config, unset)).toEqual(config);
    }
  });

  it('has the edge prefer int8, the cloud serve fp32, and neither batch int8', () => {
    expect([EDGE_CONFIG.variants, CLOUD_CONFIG.variants]).toEqual([['int8', 'fp32'], ['fp32']]);
    expect([EDGE_CONFIG.batching.variants, CLOUD_CONFIG.batching.variants]).toEqual([['fp32'], ['fp32']]);
  });

  it('sets what it names', () => {
    const { variants, batching, queueLimit } = configured(EDGE_CONFIG, {
      CAUSEWAY_VARIANTS: 'fp32, int8',
      CAUSEWAY_BATCH_ROWS: '1',
      CAUSEWAY_BATCH_DELAY_MS: '0',
      CAUSEWAY_BATCH_VARIANTS: 'int8,fp32',
      CAUSEWAY_QUEUE_LIMIT: '7',
    });
    expect([variants, queueLimit]).toEqual([['fp32', 'int8'], 7]);
    expect(batching).toEqual({
      ...EDGE_CONFIG.batching,
      maxRows: 1,
      maxDelayMs: 0,
      variants: ['int8', 'fp32'],
    });
  });

  const wrong: readonly (readonly [keyof Overrides, string, RegExp])[] = [
    ...['int4', 'int8,', 'int8,int8', 'fp32 int8', ','].map(
      (text) => ['CAUSEWAY_VARIANTS', text, /a list of fp32, int8/] as const,
    ),
    ['CAUSEWAY_BATCH_VARIANTS', 'all', /a list of fp32, int8/],
    ['CAUSEWAY_BATCH_ROWS', '0', /from 1 to 1024/],
    ['CAUSEWAY_BATCH_ROWS', '1e2', /from 1 to 1024/],
    ['CAUSEWAY_BATCH_DELAY_MS', '-1', /from 0 to 1000/],
    ['CAUSEWAY_BATCH_DELAY_MS', '0.5', /from 0 to 1000/],
    ['CAUSEWAY_QUEUE_LIMIT', 'none', /from 1 to 100000/],
  ];
  it.each(wrong)('%s=%s is refused by name', (name, text, allowed) => {
    const refused = () => configured(EDGE_CONFIG, { [name]: text });
    expect(refused).toThrow(new RegExp(`^${name} is ${text};`));
    expect(refused).toThrow(allowed);
  });
});
