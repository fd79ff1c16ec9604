/**
 * Server-sent events (html.spec.whatwg.org, 9.2) read by fetch: EventSource cannot carry the access token.
 */

/** @typedef {{ readonly event: string, readonly data: string }} ServerEvent */

/**
 * Puts chunks together again. Pure but for what it keeps of the last one.
 * @returns {(chunk: string) => ServerEvent[]} the events that the chunk completes
 */
export function createEventParser() {
  let text = '';
  return (chunk) => {
    const blocks = (text + chunk).split(/\r?\n\r?\n/);
    text = blocks.pop() ?? '';
    return blocks.map((block) => {
      const lines = block.split(/\r?\n/);
      /** @param {string} field */
      const values = (field) =>
        lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1));
      return {
        event: values('event').at(-1)?.trim() ?? 'message',
        data: values('data')
          .map((line) => line.replace(/^ /, ''))
          .join('\n'),
      };
    });
  };
}

/**
 * @param {Response} response
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* eventsOf(response) {
  if (response.body === null) return;
  const parse = createEventParser();
  const chunks = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let chunk = await chunks.read(); !chunk.done; chunk = await chunks.read()) yield* parse(chunk.value);
}
