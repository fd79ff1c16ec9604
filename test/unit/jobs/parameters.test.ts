import { describe, expect, it } from 'vitest';
import { ParametersSpec } from '../../../core/contracts/parameters.ts';
import { Fault } from '../../../core/errors.ts';
import {
  chooseBesideAdapters,
  chooseParameters,
  elementDecay,
  withWeightDecay,
} from '../../../core/jobs/parameters.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';

const tensor = (name: string, shape: number[]): TensorSpec => ({ name, dtype: 'F32', shape });
const CANDIDATES = [
  tensor('encoder.0.weight', [4, 3]),
  tensor('encoder.0.bias', [3]),
  tensor('encoder.norm.weight', [3]),
  tensor('head.weight', [3, 2]),
  tensor('head.bias', [2]),
  tensor('temperature', []),
];
const rules = (given: object) => ParametersSpec.parse(given);
const choose = (given: object) => chooseParameters(rules(given), CANDIDATES);

describe('which parameters are trained', () => {
  it.each([
    [
      'all but scalars',
      {},
      ['encoder.0.weight', 'encoder.0.bias', 'encoder.norm.weight', 'head.weight', 'head.bias'],
    ],
    ['what train matches', { train: ['head.*'] }, ['head.weight', 'head.bias']],
    ['not what freeze matches', { freeze: ['encoder.*'] }, ['head.weight', 'head.bias']],
    ['freeze over train', { train: ['*.weight'], freeze: ['*norm*'] }, ['encoder.0.weight', 'head.weight']],
    ['a scalar by its very name', { train: ['temperature', '*.0.bias'] }, ['encoder.0.bias', 'temperature']],
    [
      'no scalar by a wildcard',
      { train: ['*e*', 'temp*'], freeze: ['*.*s'] },
      ['encoder.0.weight', 'encoder.norm.weight', 'head.weight'],
    ],
  ])('%s', (_, given, expected) => {
    expect(choose(given)).toEqual(expected);
  });

  it.each([
    [
      { train: ['head.*', 'tail.*'] },
      'parameters.train',
      'tail.* matches no parameter; there are encoder.0.weight, ',
    ],
    [{ freeze: ['decoder'] }, 'parameters.freeze', 'decoder matches no parameter'],
    [
      {
        weightDecay: [
          { match: '*', value: 0 },
          { match: '*beta', value: 0 },
        ],
      },
      'parameters.weightDecay[1].match',
      '*beta matches no',
    ],
    [{ freeze: ['*'] }, 'parameters', 'nothing is left to train'],
  ])('%j is refused by field', (given, field, message) => {
    const thrown = (() => {
      try {
        return choose(given);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(Fault);
    expect(thrown).toMatchObject({ code: 'unprocessable', field });
    expect((thrown as Fault).message).toContain(message);
  });

  it('does not list a thousand names', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => tensor(`w${i}`, [1]));
    expect(() => chooseParameters(rules({ freeze: ['x'] }), many)).toThrow(/w38, w39 and 960 more$/);
  });
});

describe('weight decay by name', () => {
  const slots = [
    { name: 'w', shape: [2], offset: 0, length: 2 },
    { name: 'b', shape: [1], offset: 2, length: 1 },
    { name: 'v', shape: [2], offset: 3, length: 2 },
  ];

  it('the first rule that matches decides, the optimizer where none does', () => {
    const given = rules({
      weightDecay: [
        { match: 'b', value: 0 },
        { match: '?', value: 0.5 },
        { match: 'v', value: 0.1 },
      ],
    });
    const decayed = withWeightDecay(slots, given, 0.01);
    expect(decayed.map(({ weightDecay }) => weightDecay)).toEqual([0.5, 0, 0.5]);
    expect(elementDecay(decayed, 0.01)).toEqual(Float32Array.of(0.5, 0.5, 0, 0.5, 0.5));
    const noBias = withWeightDecay(slots, rules({ weightDecay: [{ match: 'b', value: 0 }] }), 0.01);
    expect(elementDecay(noBias, 0.01)).toEqual(Float32Array.of(0.01, 0.01, 0, 0.01, 0.01));
  });

  it('needs no vector where it is the same for all', () => {
    expect(elementDecay(slots, 0.01)).toBeUndefined();
    const same = withWeightDecay(slots, rules({ weightDecay: [{ match: '*', value: 0.01 }] }), 0.01);
    expect(elementDecay(same, 0.01)).toBeUndefined();
  });
});

describe('which parameters are trained beside adapters', () => {
  const adapters = ['encoder.0.weight.lora_A', 'encoder.0.weight.lora_B'];
  const candidates = [...CANDIDATES, tensor(adapters[0]!, [4, 1]), tensor(adapters[1]!, [1, 3])];
  const beside = (given: object) => chooseBesideAdapters(rules(given), candidates, adapters);

  it('none, or what train matches and freeze does not', () => {
    expect(beside({})).toEqual(adapters);
    expect(beside({ freeze: ['head.*'] })).toEqual(adapters);
    expect(beside({ train: ['head.*', '*.bias'], freeze: ['encoder.0.bias'] })).toEqual([
      'head.weight',
      'head.bias',
      ...adapters,
    ]);
  });

  it('a factor cannot be frozen', () => {
    expect(() => beside({ freeze: ['*.lora_A'] })).toThrow(/encoder\.0\.weight\.lora_A is a factor/);
  });
});
