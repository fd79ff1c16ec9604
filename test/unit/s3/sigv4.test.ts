/** Against the worked examples of AWS's own documentation. */
import { describe, expect, it } from 'vitest';
import { canonicalRequest, uriEncode } from '../../../infra/local/s3-gateway/canonical.ts';
import { parseRequest } from '../../../infra/local/s3-gateway/request.ts';
import { verifySignature } from '../../../infra/local/s3-gateway/sigv4.ts';

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const ORIGIN = 'https://examplebucket.s3.amazonaws.com';
const HOST = 'examplebucket.s3.amazonaws.com';
const NOW = Date.UTC(2013, 4, 24);
const SCOPE = '20130524/us-east-1/s3/aws4_request';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface Example {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signature: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
const EXAMPLES: Readonly<Record<string, Example>> = {
  'GET object with a range': {
    method: 'GET',
    path: '/test.txt',
    headers: { range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  'PUT object with a dollar sign in its key': {
    method: 'PUT',
    path: '/test$file.text',
    headers: {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  'GET with a parameter without value': {
    method: 'GET',
    path: '/?lifecycle',
    headers: { 'x-amz-content-sha256': EMPTY },
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  'GET with two parameters': {
    method: 'GET',
    path: '/?max-keys=2&prefix=J',
    headers: { 'x-amz-content-sha256': EMPTY },
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
};

function signed({ method, path, headers, signature }: Example, extra: Record<string, string> = {}) {
  const all = new Headers({ ...headers, host: HOST, 'x-amz-date': '20130524T000000Z' });
  const names = [...all.keys()].sort().join(';');
  all.set(
    'authorization',
    `AWS4-HMAC-SHA256 Credential=${CREDENTIALS.accessKeyId}/${SCOPE},SignedHeaders=${names},Signature=${signature}`,
  );
  for (const [name, value] of Object.entries(extra)) all.set(name, value);
  return parseRequest({ method, url: ORIGIN + path, headers: all });
}

const [GET] = Object.values(EXAMPLES) as [Example];

describe('Signature Version 4 in the header', () => {
  it.each(Object.entries(EXAMPLES))('%s', async (_name, example) => {
    expect(await verifySignature(signed(example), CREDENTIALS, NOW)).toBe(
      example.headers['x-amz-content-sha256'],
    );
  });

  it.each(Object.entries(EXAMPLES))('another secret: %s', async (_name, example) => {
    const credentials = { ...CREDENTIALS, secretAccessKey: 'wrong' };
    await expect(verifySignature(signed(example), credentials, NOW)).rejects.toMatchObject({
      code: 'SignatureDoesNotMatch',
    });
  });

  const tampered: [string, Record<string, string>, string][] = [
    ['a signed header changed', { range: 'bytes=0-10' }, 'SignatureDoesNotMatch'],
    ['the payload hash changed', { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, 'SignatureDoesNotMatch'],
    ['an x-amz- header added', { 'x-amz-meta-evil': '1' }, 'AccessDenied'],
    ['no date', { 'x-amz-date': 'yesterday' }, 'AccessDenied'],
    ['the date of another day', { 'x-amz-date': '20130523T235959Z' }, 'SignatureDoesNotMatch'],
    [
      'another algorithm',
      { authorization: 'AWS4-ECDSA-P256-SHA256 Credential=x' },
      'AuthorizationHeaderMalformed',
    ],
    ['nonsense', { authorization: 'Basic dTpw' }, 'AuthorizationHeaderMalformed'],
  ];
  it.each(tampered)('%s', async (_name, extra, code) => {
    await expect(verifySignature(signed(GET, extra), CREDENTIALS, NOW)).rejects.toMatchObject({ code });
  });

  it('another path, query or method', async () => {
    for (const change of [{ path: '/test2.txt' }, { path: '/test.txt?x=1' }, { method: 'DELETE' }]) {
      await expect(verifySignature(signed({ ...GET, ...change }), CREDENTIALS, NOW)).rejects.toMatchObject({
        code: 'SignatureDoesNotMatch',
      });
    }
  });

  it('an unknown access key', async () => {
    const credentials = { ...CREDENTIALS, accessKeyId: 'AKIDSOMEBODYELSE' };
    await expect(verifySignature(signed(GET), credentials, NOW)).rejects.toMatchObject({
      code: 'InvalidAccessKeyId',
    });
  });

  it('takes a clock that is 15 minutes off, and no more', async () => {
    const quarter = 15 * 60_000;
    for (const now of [NOW - quarter, NOW + quarter]) {
      await expect(verifySignature(signed(GET), CREDENTIALS, now)).resolves.toBe(EMPTY);
    }
    for (const now of [NOW - quarter - 1, NOW + quarter + 1]) {
      await expect(verifySignature(signed(GET), CREDENTIALS, now)).rejects.toMatchObject({
        code: 'RequestTimeTooSkewed',
      });
    }
  });

  it('refuses what is not signed at all', async () => {
    const request = parseRequest({ method: 'GET', url: `${ORIGIN}/test.txt`, headers: new Headers() });
    await expect(verifySignature(request, CREDENTIALS, NOW)).rejects.toMatchObject({ code: 'AccessDenied' });
  });
});

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
describe('Signature Version 4 in the query', () => {
  const PRESIGNED: Readonly<Record<string, string>> = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${CREDENTIALS.accessKeyId}/${SCOPE}`,
    'X-Amz-Date': '20130524T000000Z',
    'X-Amz-Expires': '86400',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  };
  const presigned = (change: Record<string, string> = {}, headers: Record<string, string> = {}) => {
    const query = Object.entries({ ...PRESIGNED, ...change })
      .map(([name, value]) => `${name}=${uriEncode(value)}`)
      .join('&');
    return parseRequest({
      method: 'GET',
      url: `${ORIGIN}/test.txt?${query}`,
      headers: new Headers({ host: HOST, ...headers }),
    });
  };

  it('is valid until it expires', async () => {
    const day = 86_400_000;
    expect(await verifySignature(presigned(), CREDENTIALS, NOW)).toBe('UNSIGNED-PAYLOAD');
    expect(await verifySignature(presigned(), CREDENTIALS, NOW + day)).toBe('UNSIGNED-PAYLOAD');
    await expect(verifySignature(presigned(), CREDENTIALS, NOW + day + 1)).rejects.toThrow(/expired/);
    await expect(verifySignature(presigned(), CREDENTIALS, NOW - day)).rejects.toThrow(/not yet valid/);
  });

  it.each([
    ['X-Amz-Expires', '86401', 'SignatureDoesNotMatch'],
    ['X-Amz-Expires', '604801', 'AuthorizationQueryParametersError'],
    ['X-Amz-Expires', '0', 'AuthorizationQueryParametersError'],
    ['X-Amz-Algorithm', 'none', 'AuthorizationQueryParametersError'],
    ['X-Amz-Credential', 'AKIAIOSFODNN7EXAMPLE', 'AuthorizationQueryParametersError'],
    ['X-Amz-SignedHeaders', 'date', 'AccessDenied'],
    ['X-Amz-Signature', 'zz', 'SignatureDoesNotMatch'],
    ['X-Amz-Signature', '00', 'SignatureDoesNotMatch'],
    ['response-content-type', 'text/html', 'SignatureDoesNotMatch'],
  ])('%s=%s is refused: %s', async (name, value, code) => {
    await expect(verifySignature(presigned({ [name]: value }), CREDENTIALS, NOW)).rejects.toMatchObject({
      code,
    });
  });

  it('takes no unsigned header that changes the meaning', async () => {
    const request = presigned({}, { 'x-amz-copy-source': '/other/key' });
    await expect(verifySignature(request, CREDENTIALS, NOW)).rejects.toMatchObject({ code: 'AccessDenied' });
  });
});

describe('canonical request', () => {
  it('encodes path and query once, sorts the query, and folds spaces in headers', () => {
    const request = parseRequest({
      method: 'GET',
      url: 'http://127.0.0.1:9000/bucket/a%20b/%C3%BC(1)?z=1&a=%2F&b',
      headers: new Headers({ host: '127.0.0.1:9000', 'x-amz-meta-a': '  two   words ' }),
    });
    expect(canonicalRequest(request, ['host', 'x-amz-meta-a'], 'UNSIGNED-PAYLOAD').split('\n')).toEqual([
      'GET',
      '/bucket/a%20b/%C3%BC%281%29',
      'a=%2F&b=&z=1',
      'host:127.0.0.1:9000',
      'x-amz-meta-a:two words',
      '',
      'host;x-amz-meta-a',
      'UNSIGNED-PAYLOAD',
    ]);
  });
});
