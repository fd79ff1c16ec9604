/** Looks again and again while the page is seen; slower, up to half a minute, while there is no good answer. */

const SLOWEST_MS = 30_000;

/**
 * @param {number} everyMs
 * @param {() => Promise<void>} look
 * @param {(thrown: unknown) => void} settled after each look; null: it went well, or the page is not seen
 * @returns {() => Promise<void>} looks at once
 */
export function repeat(everyMs, look, settled) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let failures = 0;
  let isBusy = false;
  const turn = async () => {
    if (isBusy) return;
    clearTimeout(timer);
    if (document.hidden) return;
    isBusy = true;
    try {
      await look();
      failures = 0;
      settled(null);
    } catch (thrown) {
      failures += 1;
      settled(thrown);
    }
    isBusy = false;
    timer = setTimeout(() => void turn(), Math.min(SLOWEST_MS, everyMs * 2 ** Math.min(failures, 5)));
  };
  document.addEventListener('visibilitychange', () => void turn());
  void turn();
  return turn;
}
