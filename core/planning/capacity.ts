/**
 * How many functions: the formulas of static capacity planning, as a first estimate that needs no simulation.
 *
 *     R   = Q / C                        functions for a load Q of which each carries C
 *     S_i = L_i · C_i / Σ_j L_j · C_j    share of the load for function i of capacity C_i and availability L_i
 *
 * Here Q is a job's work and C is what one function does of it until the deadline, both in seconds of computing. Queue,
 * store, merges and waiting for the slowest are left out: the estimate is the fewest functions that could do it. The
 * router's `proportional` policy is the second formula (core/routing/policies/proportional.ts).
 */
import { Fault } from '../errors.ts';

/**
 * R, rounded up to whole functions.
 * @param work Q
 * @param capacity C, above 0
 */
export function functionsFor(work: number, capacity: number): number {
  if (!(capacity > 0 && work >= 0))
    throw new Fault('invalid', `${work} s of work by functions that do ${capacity} s each`, {
      field: 'capacity',
    });
  return Math.max(1, Math.ceil(work / capacity));
}

export interface Capable {
  /** C_i, in any unit that they share. */
  readonly capacity: number;
  /** L_i: the part of the time that it is there, 0 to 1; default 1. */
  readonly availability?: number;
}

/** S_i, which add up to 1. @throws Fault `invalid` where nobody has any capacity */
export function shares(functions: readonly Capable[]): number[] {
  const able = functions.map(({ capacity, availability = 1 }) => availability * capacity);
  const total = able.reduce((sum, each) => sum + each, 0);
  if (!(total > 0)) throw new Fault('invalid', 'nobody has any capacity', { field: 'capacity' });
  return able.map((each) => each / total);
}
