/**
 * What a function returned as an HTTP answer:
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
 */

export interface HttpHead {
  readonly statusCode: number;
  /** Names in lower case; several values only for `set-cookie`. */
  readonly headers: Record<string, string | string[]>;
}

export interface HttpAnswer extends HttpHead {
  readonly body: Buffer;
}

/** The function's answer is none AWS could turn into HTTP: 502. */
export const MALFORMED = Symbol('malformed answer');

const JSON_TYPE = 'application/json';
/** About one connection, or counted by the server: not the function's to say (RFC 9110, 7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/**
 * With a `statusCode` the answer is `{statusCode, headers, cookies, body, isBase64Encoded}`; anything else is itself
 * the body of a 200 in JSON.
 * @param payload the function's result, JSON
 */
export function answerOf(payload: string): HttpAnswer | typeof MALFORMED {
  let result: unknown;
  try {
    result = JSON.parse(payload);
  } catch {
    return MALFORMED;
  }
  if (!isRecord(result) || result['statusCode'] === undefined) {
    return { statusCode: 200, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(payload) };
  }
  const head = headOf(result, JSON_TYPE);
  const { body = '', isBase64Encoded = false } = result;
  if (head === MALFORMED || typeof body !== 'string' || typeof isBase64Encoded !== 'boolean')
    return MALFORMED;
  return { ...head, body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8') };
}

/** @param metadata `{statusCode, headers, cookies}` of a buffered or streamed answer */
export function headOf(metadata: unknown, defaultType: string): HttpHead | typeof MALFORMED {
  if (!isRecord(metadata)) return MALFORMED;
  const { statusCode = 200, headers: given = {}, cookies = [] } = metadata;
  if (!isStatus(statusCode) || !isRecord(given) || !isTexts(cookies)) return MALFORMED;
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    const text = String(value);
    if (!HEADER_NAME.test(name) || typeof value === 'object' || !HEADER_VALUE.test(text)) return MALFORMED;
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = text;
  }
  headers['content-type'] ??= defaultType;
  if (!cookies.every((cookie) => HEADER_VALUE.test(cookie))) return MALFORMED;
  if (cookies.length > 0) headers['set-cookie'] = cookies;
  return { statusCode, headers };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** 1xx are no final answers. */
const isStatus = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599;
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
