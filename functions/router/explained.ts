/**
 * An explanation in the answer: one member more of its JSON object. Clients of the Open Inference Protocol pass over
 * members they do not know, and those that did not ask for it never see it.
 */
import type { Explanation } from '../../core/contracts/explanation.ts';
import { Fault } from '../../core/errors.ts';

/**
 * The rest of the answer stays as the target wrote it, to the byte: read as numbers, INT64 values above 2^53 would not.
 * @returns an answer that is no JSON object as it is
 */
export async function withExplanation(response: Response, explanation: Explanation): Promise<Response> {
  const { status, headers } = response;
  if (!/^application\/json\b/.test(headers.get('content-type') ?? '')) return response;
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw new Fault('bad_gateway', 'the answer broke off', { cause });
  }
  return new Response(spliced(text, explanation), { status, headers });
}

function spliced(text: string, explanation: Explanation): string {
  const object = text.trim();
  if (!object.startsWith('{') || !object.endsWith('}')) return text;
  const members = object.slice(1, -1).trim();
  const separator = members === '' ? '' : ',';
  return `{${members}${separator}"explanation":${JSON.stringify(explanation)}}`;
}
