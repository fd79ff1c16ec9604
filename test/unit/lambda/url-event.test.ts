import { describe, expect, it } from 'vitest';
import { urlEvent, type UrlRequest } from '../../../infra/local/lambda/url-event.ts';

const request = (changes: Partial<UrlRequest>) =>
  urlEvent({
    method: 'POST',
    target: '/',
    rawHeaders: [],
    body: Buffer.alloc(0),
    protocol: 'HTTP/1.1',
    sourceIp: '127.0.0.1',
    requestId: 'id',
    urlId: 'fn',
    nowMs: Date.UTC(2020, 2, 12, 19, 3, 58),
    ...changes,
  });

describe('a Function URL event', () => {
  it.each([
    ['text/plain', undefined, true],
    ['application/json; charset=utf-8', undefined, true],
    ['application/vnd.api+json', undefined, true],
    ['application/xml', undefined, true],
    ['application/json', 'gzip', false],
    ['application/json', 'identity', true],
    ['application/jsonlines', undefined, false],
    ['application/octet-stream', undefined, false],
    ['application/x-www-form-urlencoded', undefined, false],
    [undefined, undefined, false],
  ])('a body of %s, encoding %s, comes as text: %s', (type, encoding, text) => {
    const rawHeaders = [
      ...(type === undefined ? [] : ['Content-Type', type]),
      ...(encoding === undefined ? [] : ['Content-Encoding', encoding]),
    ];
    const body = Buffer.from('{"ü":1}');
    const event = request({ rawHeaders, body });
    expect(event.isBase64Encoded).toBe(!text);
    expect(event.body).toBe(body.toString(text ? 'utf8' : 'base64'));
  });

  it('a body that says text and is not comes whole, in base64', () => {
    const body = Buffer.from([0xff, 0xfe, 0x00]);
    const event = request({ rawHeaders: ['content-type', 'text/plain'], body });
    expect(event).toMatchObject({ isBase64Encoded: true, body: body.toString('base64') });
  });

  it('leaves out what there is not', () => {
    const event = request({});
    for (const key of ['body', 'cookies', 'queryStringParameters']) expect(event).not.toHaveProperty(key);
    expect(event.rawQueryString).toBe('');
  });

  it('keeps path and query as they were sent, and decodes only the parameters', () => {
    const event = request({ target: '/a%20b/c?x=%C3%BC&x=2&y=a+b&z' });
    expect(event.rawPath).toBe('/a%20b/c');
    expect(event.rawQueryString).toBe('x=%C3%BC&x=2&y=a+b&z');
    expect(event.queryStringParameters).toEqual({ x: 'ü,2', y: 'a b', z: '' });
  });

  it('writes the time as AWS does, and believes a proxy before it', () => {
    const event = request({ rawHeaders: ['X-Forwarded-For', '203.0.113.7', 'X-Forwarded-Proto', 'https'] });
    expect(event.requestContext.time).toBe('12/Mar/2020:19:03:58 +0000');
    expect(event.headers).toEqual({ 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' });
  });
});
