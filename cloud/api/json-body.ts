import { Fault } from '../../core/errors.ts';

/** @throws Fault `unsupported_media_type`, `invalid` */
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
  try {
    return JSON.parse(await request.text());
  } catch (cause) {
    throw new Fault('invalid', 'body: must be JSON', { cause });
  }
}
