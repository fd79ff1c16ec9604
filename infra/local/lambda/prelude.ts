/**
 * The start of a streamed HTTP answer: JSON metadata, eight zero bytes, then the body. They come in pieces that
 * know nothing of that boundary.
 */

export type Prelude =
  | { readonly kind: 'incomplete' }
  /** @property metadata undefined where it is no JSON @property rest the first bytes of the body, often none */
  | { readonly kind: 'complete'; readonly metadata: unknown; readonly rest: Uint8Array };

const DELIMITER = Buffer.alloc(8);

/** @returns a function to be called with each piece until the prelude is complete */
export function preludeReader(): (bytes: Uint8Array) => Prelude {
  let seen = Buffer.alloc(0);
  return (bytes) => {
    seen = Buffer.concat([seen, bytes]);
    const end = seen.indexOf(DELIMITER);
    if (end < 0) return { kind: 'incomplete' };
    const rest = seen.subarray(end + DELIMITER.length);
    return { kind: 'complete', metadata: parseOrUndefined(seen.toString('utf8', 0, end)), rest };
  };
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
