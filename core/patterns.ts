/**
 * Name patterns of the shell's kind: `*` stands for any characters, also none and also dots, `?` for exactly one;
 * everything else stands for itself.
 */

/** Whether the whole name fits. Time is at most pattern length times name length, whatever the pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  // Where to go on should the rest not fit: behind the last `*`, which then takes one character more.
  let star = -1;
  let taken = 0;
  for (let i = 0; i < name.length;) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      taken = i;
    } else if (wanted === '?' || wanted === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++taken;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

export const matchesAny = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => matchesPattern(pattern, name));
