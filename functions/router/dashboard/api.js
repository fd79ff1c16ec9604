/** Requests to the router that served this page, with the access token where the reader gave one. */

const TOKEN = 'causeway-token';

/** Why there is no good answer. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP; 0: no answer at all
   * @param {string} message
   * @param {number} token how many had been given when it was asked; 0: it was asked without
   */
  constructor(status, message, token) {
    super(message);
    this.status = status;
    this.token = token;
  }
}

let tokens = sessionStorage.getItem(TOKEN) === null ? 0 : 1;

/** @param {unknown} thrown */
export const asRefusal = (thrown) =>
  thrown instanceof Refusal ? thrown : new Refusal(-1, String(thrown), tokens);

/** For this tab, until it is closed. @param {string} token */
export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
  tokens += 1;
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @throws {Refusal} unless the answer is good; what the signal was aborted with
 */
export async function ask(path, signal) {
  const given = tokens;
  const token = sessionStorage.getItem(TOKEN);
  const headers = token === null ? new Headers() : new Headers({ authorization: `Bearer ${token}` });
  let response;
  try {
    response = await fetch(path, { cache: 'no-store', headers, signal });
  } catch (cause) {
    if (signal.aborted && signal.reason?.name !== 'TimeoutError') throw cause;
    throw new Refusal(0, 'the router does not answer', given);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const message = body.error ?? (response.statusText || `status ${response.status}`);
  throw new Refusal(response.status, message, given);
}

/**
 * @param {string} path
 * @returns {Promise<any>} JSON; what it must be is the contract's to say, core/contracts
 */
export const read = async (path) => (await ask(path, AbortSignal.timeout(15_000))).json();
