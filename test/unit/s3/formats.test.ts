import { crc32 as zlibCrc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base64, fromBase64, fromHex, hex } from '../../../infra/local/s3-gateway/bytes.ts';
import { decodeChunked } from '../../../infra/local/s3-gateway/chunked.ts';
import { evaluate, unquote, writeCondition } from '../../../infra/local/s3-gateway/conditions.ts';
import { crc32, crc32c } from '../../../core/checksums/crc.ts';
import { crcBytes } from '../../../infra/local/s3-gateway/checksums.ts';
import { parseRange, resolveRange } from '../../../infra/local/s3-gateway/ranges.ts';
import { intParam, parseRequest } from '../../../infra/local/s3-gateway/request.ts';
import { childText, document, element, parseXml } from '../../../infra/local/s3-gateway/xml.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

describe('CRC', () => {
  const CHECK = encoder.encode('123456789');

  it('has the check values of the catalogue of parametrised CRC algorithms', () => {
    expect(hex(crcBytes(crc32(CHECK)))).toBe('cbf43926');
    expect(hex(crcBytes(crc32c(CHECK)))).toBe('e3069283');
    expect(crc32(new Uint8Array())).toBe(0);
  });

  it('agrees with zlib on any bytes at any alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, skip) => {
        const view = bytes.subarray(Math.min(skip, bytes.length));
        expect(crc32(view)).toBe(zlibCrc32(view));
      }),
    );
  });
});

describe('bytes as text', () => {
  it('goes both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(hex(bytes))).toEqual(bytes);
        expect(fromBase64(base64(bytes))).toEqual(bytes);
      }),
    );
  });

  it('refuses what is neither', () => {
    expect(fromHex('abc')).toBeUndefined();
    expect(fromHex('zz')).toBeUndefined();
    expect(fromBase64('*')).toBeUndefined();
  });
});

describe('aws-chunked', () => {
  const chunked = (chunks: readonly Uint8Array[], trailer: string) =>
    new Uint8Array(
      Buffer.concat([
        ...chunks.flatMap((chunk) => [
          Buffer.from(`${chunk.length.toString(16)}\r\n`),
          chunk,
          Buffer.from('\r\n'),
        ]),
        Buffer.from(`0\r\n${trailer}`),
      ]),
    );

  it('decodes any chunks, and the trailer', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 5 }), (chunks) => {
        const whole = Buffer.concat(chunks);
        const decoded = decodeChunked(chunked(chunks, 'x-amz-checksum-crc32:AAAAAA==\r\n\r\n'), whole.length);
        expect(decoded.bytes).toEqual(new Uint8Array(whole));
        expect(decoded.trailers.get('x-amz-checksum-crc32')).toBe('AAAAAA==');
      }),
    );
  });

  const hello = chunked([encoder.encode('hello')], '\r\n');
  it.each([
    ['shorter than stated', hello, 6, 'IncompleteBody'],
    ['longer than stated', hello, 4, 'IncompleteBody'],
    ['cut off in a chunk', hello.subarray(0, 5), 5, 'IncompleteBody'],
    ['cut off before the last chunk', hello.subarray(0, 10), 5, 'IncompleteBody'],
    ['empty', Buffer.from(''), 0, 'IncompleteBody'],
    ['a length that is none', Buffer.from('five\r\nhello\r\n0\r\n\r\n'), 5, 'IncompleteBody'],
    ['a chunk longer than its length', Buffer.from('4\r\nhello\r\n0\r\n\r\n'), 5, 'IncompleteBody'],
    ['a trailer without a name', Buffer.from('5\r\nhello\r\n0\r\noops\r\n\r\n'), 5, 'MalformedTrailerError'],
  ])('refuses a body %s', (_name, body, length, code) => {
    expect(() => decodeChunked(new Uint8Array(body), length)).toThrow(expect.objectContaining({ code }));
  });
});

describe('XML', () => {
  it('reads back any text that it wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const root = parseXml(document(element('A', [element('B', text), element('C', 1)])));
        expect(root && childText(root, 'B')).toBe(text);
      }),
    );
  });

  it('reads attributes, namespaces, comments and self-closing elements', () => {
    const source =
      '<?xml version="1.0"?><!-- x --><A xmlns="urn:x"><B a="b"/>\n<C>1 &lt; 2 &#x41;&#x10FFFF;&#66;</C></A>';
    const root = parseXml(source);
    expect(root?.children.map(({ name, text }) => [name, text])).toEqual([
      ['B', ''],
      ['C', '1 < 2 A\u{10ffff}B'],
    ]);
  });

  it.each([
    '',
    'text',
    '<A>',
    '<A></B>',
    '</A>',
    '<A></A><B></B>',
    '<A><B></A></B>',
    '<A',
    '<!DOCTYPE x><A/>',
    '<A>&#x110000;</A>',
    '<A>&#1114112;</A>',
    '<A>&#99999999999999999999;</A>',
    '<A>&#X41;</A>',
    '<A>&#xD800;</A>',
  ])('refuses %j', (source) => {
    expect(parseXml(source)).toBeUndefined();
  });
});

describe('conditions', () => {
  const object = { etag: 'abc', uploaded: new Date(1_700_000_000_500) };
  const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1_000).toUTCString();

  it.each([
    [{}, 'ok'],
    [{ 'if-match': '"abc"' }, 'ok'],
    [{ 'if-match': 'abc' }, 'ok'],
    [{ 'if-match': '*' }, 'ok'],
    [{ 'if-match': '"x", "abc"' }, 'ok'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-none-match': '"abc"' }, 'not modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not modified'],
    [{ 'if-none-match': '*' }, 'not modified'],
    [{ 'if-none-match': '"x"' }, 'ok'],
    [{ 'if-unmodified-since': at(0) }, 'ok'],
    [{ 'if-unmodified-since': at(-1) }, 'failed'],
    [{ 'if-modified-since': at(0) }, 'not modified'],
    [{ 'if-modified-since': at(-1) }, 'ok'],
    [{ 'if-modified-since': 'nonsense' }, 'ok'],
    // RFC 9110, 13.2.2: the ETag decides where both are there.
    [{ 'if-match': '"abc"', 'if-unmodified-since': at(-1) }, 'ok'],
    [{ 'if-none-match': '"x"', 'if-modified-since': at(0) }, 'ok'],
  ])('%j: %s', (headers, verdict) => {
    expect(evaluate(new Headers(headers as Record<string, string>), object)).toBe(verdict);
  });

  it('of the source of a copy have their own headers', () => {
    const headers = new Headers({ 'x-amz-copy-source-if-match': '"x"', 'if-match': '"abc"' });
    expect(evaluate(headers, object, 'x-amz-copy-source-')).toBe('failed');
  });

  it('of a write', () => {
    expect(writeCondition(new Headers())).toBeUndefined();
    expect(writeCondition(new Headers({ 'if-none-match': '*' }))).toEqual({ etagDoesNotMatch: '*' });
    expect(writeCondition(new Headers({ 'if-match': '"abc"' }))).toEqual({ etagMatches: 'abc' });
    expect(() => writeCondition(new Headers({ 'if-none-match': '"abc"' }))).toThrow(
      expect.objectContaining({ code: 'NotImplemented' }),
    );
    expect(() => writeCondition(new Headers({ 'if-none-match': '*', 'if-match': '"a"' }))).toThrow(
      expect.objectContaining({ code: 'InvalidRequest' }),
    );
  });

  it('unquotes strong and weak tags', () => {
    expect(['"a"', 'W/"a"', 'a', ' "a" '].map(unquote)).toEqual(['a', 'a', 'a', 'a']);
  });
});

describe('ranges', () => {
  it.each([
    ['bytes=0-9', 100, [0, 9]],
    ['bytes=90-', 100, [90, 99]],
    ['bytes=90-200', 100, [90, 99]],
    ['bytes=-5', 100, [95, 99]],
    ['bytes=-500', 100, [0, 99]],
    ['bytes=100-', 100, undefined],
    ['bytes=-0', 100, undefined],
    ['bytes=0-0', 0, undefined],
  ])('%s of %i bytes', (header, size, expected) => {
    const range = parseRange(header);
    const resolved = range && resolveRange(range, size);
    expect(resolved && [resolved.first, resolved.last]).toEqual(expected);
  });

  it.each([null, '', 'bytes=-', 'bytes=5-4', 'lines=1-2', 'bytes=0-1,3-4', 'bytes=a-b'])(
    '%j is no range, and ignored',
    (header) => {
      expect(parseRange(header)).toBeUndefined();
    },
  );
});

describe('requests', () => {
  const parse = (path: string) =>
    parseRequest({ method: 'GET', url: `http://127.0.0.1:1${path}`, headers: new Headers() });

  it.each([
    ['/', undefined, undefined],
    ['/bucket', 'bucket', undefined],
    ['/bucket/', 'bucket', undefined],
    ['/bucket/a/b', 'bucket', 'a/b'],
    ['/bucket/a%2Fb%20%2B+', 'bucket', 'a/b ++'],
    ['/bucket/%D1%8F?x=1#f', 'bucket', 'я'],
    ['/bucket//', 'bucket', '/'],
  ])('%s', (path, bucket, key) => {
    expect(parse(path)).toMatchObject({ bucket, key });
  });

  it('decodes the query', () => {
    expect(parse('/b?a=1&b&c=%26+x').query).toEqual([
      ['a', '1'],
      ['b', ''],
      ['c', '& x'],
    ]);
  });

  it('refuses broken escapes and long keys', () => {
    expect(() => parse('/b/%zz')).toThrow(expect.objectContaining({ code: 'InvalidURI' }));
    expect(() => parse('/b/%ff')).toThrow(expect.objectContaining({ code: 'InvalidURI' }));
    expect(parse(`/b/${'a'.repeat(1_024)}`).key).toHaveLength(1_024);
    expect(() => parse(`/b/${'a'.repeat(1_025)}`)).toThrow(
      expect.objectContaining({ code: 'KeyTooLongError' }),
    );
  });

  it('names a number that is out of range', () => {
    const request = parse('/b?max-keys=-1&n=7');
    expect(intParam(request, 'n', 1, [0, 10])).toBe(7);
    expect(intParam(request, 'absent', 1, [0, 10])).toBe(1);
    expect(() => intParam(request, 'max-keys', 1, [0, 10])).toThrow(/max-keys is -1: .* 0 to 10/);
  });
});

describe('text of an error', () => {
  it('survives the trip through XML', () => {
    expect(decoder.decode(encoder.encode(element('Message', 'a < b & "c"').xml))).toBe(
      '<Message>a &lt; b &amp; &quot;c&quot;</Message>',
    );
  });
});
