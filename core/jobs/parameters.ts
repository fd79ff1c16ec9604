/** Which parameters a job trains, and how each decays: rules over names, settled when the job is planned. */
import type { ParameterSlot } from '../contracts/job.ts';
import type { ParametersSpec } from '../contracts/parameters.ts';
import { Fault } from '../errors.ts';
import { matchesAny, matchesPattern } from '../patterns.ts';
import type { TensorSpec } from '../tensors/tensor.ts';

/** Names that an error lists before it only counts them. */
const LISTED = 40;

/** @throws Fault `unprocessable` naming the pattern that matches none of the names, and what names there are */
export function checkPatterns(rules: ParametersSpec, names: readonly string[]): void {
  const patterns = [
    ...(rules.train ?? []).map((pattern) => ({ field: 'parameters.train', pattern })),
    ...rules.freeze.map((pattern) => ({ field: 'parameters.freeze', pattern })),
    ...rules.weightDecay.map(({ match }, i) => ({
      field: `parameters.weightDecay[${i}].match`,
      pattern: match,
    })),
  ];
  for (const { field, pattern } of patterns) {
    if (names.some((name) => matchesPattern(pattern, name))) continue;
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
    const there = `${names.slice(0, LISTED).join(', ')}${more}`;
    throw new Fault('unprocessable', `${field}: ${pattern} matches no parameter; there are ${there}`, {
      field,
    });
  }
}

/**
 * @param candidates everything that can be trained; a scalar among them is taken for a constant of the model's
 *   formula unless `train` has its very name
 * @returns the names to train
 * @throws Fault `unprocessable` where a pattern matches nothing, or nothing is left to train
 */
export function chooseParameters(rules: ParametersSpec, candidates: readonly TensorSpec[]): string[] {
  checkPatterns(
    rules,
    candidates.map(({ name }) => name),
  );
  const { train, freeze } = rules;
  const isWanted = ({ name, shape }: TensorSpec) => {
    if (train === undefined) return shape.length > 0;
    return shape.length > 0 ? matchesAny(train, name) : train.includes(name);
  };
  const chosen = candidates
    .filter((candidate) => isWanted(candidate) && !matchesAny(freeze, candidate.name))
    .map(({ name }) => name);
  if (candidates.length > 0 && chosen.length === 0)
    throw new Fault('unprocessable', 'parameters: nothing is left to train', { field: 'parameters' });
  return chosen;
}

/**
 * Beside adapters the model's own parameters are trained only where `train` matches them.
 * @param adapters names of their factors, which are among the candidates
 * @throws Fault `unprocessable` as {@link chooseParameters}, and where a pattern would freeze a factor
 */
export function chooseBesideAdapters(
  rules: ParametersSpec,
  candidates: readonly TensorSpec[],
  adapters: readonly string[],
): string[] {
  const chosen = chooseParameters({ ...rules, train: [...(rules.train ?? []), ...adapters] }, candidates);
  const frozen = adapters.find((name) => !chosen.includes(name));
  if (frozen !== undefined)
    throw new Fault(
      'unprocessable',
      `parameters.freeze: ${frozen} is a factor of an adapter, which is trained; freeze its weight, or narrow lora.target`,
      { field: 'parameters.freeze' },
    );
  return chosen;
}

/** Slots with the weight decay that the rules give them, where that is not what the optimizer has for all. */
export function withWeightDecay(
  slots: readonly ParameterSlot[],
  rules: ParametersSpec,
  usual: number,
): ParameterSlot[] {
  return slots.map((slot) => {
    const rule = rules.weightDecay.find(({ match }) => matchesPattern(match, slot.name));
    return rule === undefined || rule.value === usual ? slot : { ...slot, weightDecay: rule.value };
  });
}

/** The weight decay of each element of the flat vector; undefined where it is the same for all of them. */
export function elementDecay(
  slots: readonly ParameterSlot[],
  usual: number,
): Float32Array<ArrayBuffer> | undefined {
  if (slots.every((slot) => slot.weightDecay === undefined)) return undefined;
  const decay = new Float32Array(slots.reduce((sum, { length }) => sum + length, 0));
  for (const { offset, length, weightDecay = usual } of slots)
    decay.fill(weightDecay, offset, offset + length);
  return decay;
}
