import { expect, test } from 'vitest';
import { datasetReference } from '../../../infra/cli/commands/dataset-reference.ts';

test('a name, or a name and a version', () => {
  expect(datasetReference('mnist')).toEqual({ name: 'mnist' });
  expect(datasetReference('mnist@12')).toEqual({ name: 'mnist', version: 12 });
});

test.each(['', '@1', 'mnist@', 'mnist@0', 'mnist@1.5', 'mnist@x', 'mnist@1@2', 'mnist@99999999999999999999'])(
  'refuses %j',
  (text) => {
    expect(() => datasetReference(text)).toThrow(/name@version/);
  },
);
