/**
 * So many at a time, the next ones when all of these have answered.
 * @returns the answers, in the order of what was asked
 * @throws what the first that failed did; those of its turn go on, no later turn begins
 */
export async function inTurns<A, B>(
  all: readonly A[],
  atOnce: number,
  ask: (each: A) => Promise<B>,
): Promise<B[]> {
  const answers: B[] = [];
  for (let start = 0; start < all.length; start += atOnce)
    answers.push(...(await Promise.all(all.slice(start, start + atOnce).map(ask))));
  return answers;
}
