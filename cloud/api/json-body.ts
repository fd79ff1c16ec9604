import { Fault } from '../../core/errors.ts';

/**
 * Every body of this API is a JSON object.
 * @throws Fault `unsupported_media_type`, `invalid` with the field `body`
 */
export async function jsonBody(request: {
  header(name: string): string | undefined;
  text(): Promise<string>;
}): Promise<unknown> {
  const type = request.header('content-type') ?? '';
  if (!/^application\/json\b/i.test(type)) {
    throw new Fault(
      'unsupported_media_type',
      `content-type: must be application/json, is ${type || 'missing'}`,
    );
  }
  let body: unknown;
  try {
    body = JSON.parse(await request.text());
  } catch (cause) {
    throw new Fault('invalid', 'body: must be JSON', { field: 'body', cause });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Fault('invalid', 'body: must be a JSON object', { field: 'body' });
  return body;
}
