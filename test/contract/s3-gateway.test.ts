/** The gateway against the AWS SDK and against requests that no SDK would send. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openS3, type S3Fixture } from './s3-fixture.ts';
import { presign, signedFetch, type SignOptions } from './s3-signer.ts';

let s3: S3Fixture;
/** The SDK as it comes: CRC-32 with every put, checked with every get. */
let plain: S3Client;
let Bucket: string;
beforeAll(async () => {
  s3 = await openS3();
  Bucket = s3.edge.bucket;
  plain = new S3Client({
    endpoint: s3.edge.s3Url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: s3.edge.credentials,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  plain.destroy();
  await s3.close();
});

/** An error of this status and code. */
const failure = (status: number, name?: string) =>
  expect.objectContaining({
    ...(name === undefined ? {} : { name }),
    $metadata: expect.objectContaining({ httpStatusCode: status }),
  });
const rejects = (call: Promise<unknown>, status: number, name?: string) =>
  expect(call).rejects.toEqual(failure(status, name));

const put = (Key: string, Body: string | Uint8Array, more: object = {}) =>
  plain.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string, more: object = {}) => plain.send(new GetObjectCommand({ Bucket, Key, ...more }));
const textOf = async (Key: string) => (await get(Key)).Body?.transformToString();

describe('signatures', () => {
  const options = (more: Partial<SignOptions> = {}): SignOptions => ({
    method: 'GET',
    url: `${s3.edge.s3Url}/${Bucket}/signed`,
    ...s3.edge.credentials,
    ...more,
  });
  const codeOf = async (response: Response) => /<Code>(.*)<\/Code>/.exec(await response.text())?.[1];
  beforeAll(() => put('signed', 'secret'));

  it('opens with the right key only', async () => {
    expect(await (await signedFetch(options())).text()).toBe('secret');
    const wrong = await signedFetch(options({ secretAccessKey: 'wrong' }));
    expect([wrong.status, await codeOf(wrong)]).toEqual([403, 'SignatureDoesNotMatch']);
    const unknown = await signedFetch(options({ accessKeyId: 'nobody' }));
    expect([unknown.status, await codeOf(unknown)]).toEqual([403, 'InvalidAccessKeyId']);
    const anonymous = await fetch(options().url);
    expect([anonymous.status, await codeOf(anonymous)]).toEqual([403, 'AccessDenied']);
  });

  it('refuses a clock that is an hour off', async () => {
    const late = await signedFetch(options({ date: new Date(Date.now() - 3_600_000) }));
    expect([late.status, await codeOf(late)]).toEqual([403, 'RequestTimeTooSkewed']);
  });

  it('takes a presigned URL until it expires, and only as it is', async () => {
    const url = presign(options(), 60);
    expect(await (await fetch(url)).text()).toBe('secret');
    const expired = await fetch(presign(options({ date: new Date(Date.now() - 61_000) }), 60));
    expect([expired.status, await codeOf(expired)]).toEqual([403, 'AccessDenied']);
    expect((await fetch(url.replace('/signed', '/other'))).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    expect(await textOf('signed')).toBe('secret');
  });

  it('takes a presigned PUT, with its condition', async () => {
    const target = { method: 'PUT', url: `${s3.edge.s3Url}/${Bucket}/presigned` };
    const headers = { 'if-none-match': '*' };
    const url = presign(options({ ...target, headers }), 60);
    expect((await fetch(url, { method: 'PUT', headers, body: 'one' })).status).toBe(200);
    expect((await fetch(url, { method: 'PUT', headers, body: 'two' })).status).toBe(412);
    // Without the header it is another request than the one that was signed.
    expect((await fetch(url, { method: 'PUT', body: 'three' })).status).toBe(403);
    expect(await textOf('presigned')).toBe('one');
  });

  it('stores no other body than the one that was signed', async () => {
    const payloadHash = createHash('sha256').update('signed body').digest('hex');
    const target = { method: 'PUT', url: `${s3.edge.s3Url}/${Bucket}/tampered`, payloadHash };
    const changed = await signedFetch(options({ ...target, body: 'another body' }));
    expect([changed.status, await codeOf(changed)]).toEqual([400, 'XAmzContentSHA256Mismatch']);
    await rejects(get('tampered'), 404, 'NoSuchKey');
    const right = await signedFetch(options({ ...target, body: 'signed body' }));
    expect(right.status).toBe(200);
    const unsigned = await signedFetch(options({ ...target, payloadHash: 'UNSIGNED-PAYLOAD', body: 'any' }));
    expect(unsigned.status).toBe(200);
    const nonsense = await signedFetch(options({ ...target, payloadHash: 'nonsense', body: 'any' }));
    expect([nonsense.status, await codeOf(nonsense)]).toEqual([400, 'InvalidArgument']);
  });

  it('answers a large refused body instead of hanging up', async () => {
    const body = new Uint8Array(8 * 1024 * 1024);
    const target = { method: 'PUT', url: `${s3.edge.s3Url}/${Bucket}/refused`, body };
    expect((await signedFetch(options({ ...target, secretAccessKey: 'wrong' }))).status).toBe(403);
  });

  it('tells errors in S3’s XML, with the id of the request', async () => {
    const response = await signedFetch(options({ url: `${s3.edge.s3Url}/${Bucket}/a%26b` }));
    const id = response.headers.get('x-amz-request-id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('content-type')).toBe('application/xml');
    const text = await response.text();
    expect(text).toContain(`<RequestId>${id}</RequestId>`);
    expect(text).toContain('<Code>NoSuchKey</Code>');
  });
});

describe('checksums', () => {
  const HELLO = {
    ChecksumCRC32: 'NhCmhg==',
    ChecksumCRC32C: 'mnG7TA==',
    ChecksumSHA1: createHash('sha1').update('hello').digest('base64'),
    ChecksumSHA256: createHash('sha256').update('hello').digest('base64'),
  };

  it.each(Object.entries(HELLO))('%s is verified, kept and given back', async (name, value) => {
    const stored = await put(`sum/${name}`, 'hello', { [name]: value });
    expect(stored).toMatchObject({ [name]: value });
    const head = await plain.send(
      new HeadObjectCommand({ Bucket, Key: `sum/${name}`, ChecksumMode: 'ENABLED' }),
    );
    expect(head).toMatchObject({ [name]: value });
    await rejects(put(`sum/bad-${name}`, 'hallo', { [name]: value }), 400, 'BadDigest');
    await rejects(put(`sum/bad-${name}`, 'hello', { [name]: 'AA==' }), 400, 'InvalidRequest');
    await rejects(get(`sum/bad-${name}`), 404);
  });

  it('Content-MD5 is verified', async () => {
    const ContentMD5 = createHash('md5').update('hello').digest('base64');
    await put('sum/md5', 'hello', { ContentMD5 });
    await rejects(put('sum/bad-md5', 'hallo', { ContentMD5 }), 400, 'BadDigest');
    await rejects(put('sum/bad-md5', 'hello', { ContentMD5: 'AAAA' }), 400, 'InvalidDigest');
  });

  it('a stream comes in chunks with its checksum behind it', async () => {
    const bytes = randomBytes(300_000);
    const Body = Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)]);
    await plain.send(new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: bytes.length }));
    const object = await get('stream');
    expect(Buffer.from((await object.Body?.transformToByteArray()) ?? [])).toEqual(bytes);
    expect(object.ContentEncoding).toBeUndefined();
  });

  it.each([
    ['a wrong trailer', 'x-amz-checksum-crc32:AAAAAA==', 400, 'BadDigest'],
    ['the announced trailer missing', '', 400, 'MalformedTrailerError'],
    ['the right trailer', `x-amz-checksum-crc32:${HELLO.ChecksumCRC32}`, 200, undefined],
  ])('%s', async (_name, trailer, status, code) => {
    const response = await signedFetch({
      method: 'PUT',
      url: `${s3.edge.s3Url}/${Bucket}/trailer`,
      ...s3.edge.credentials,
      headers: { 'x-amz-trailer': 'x-amz-checksum-crc32', 'x-amz-decoded-content-length': '5' },
      payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      body: `5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`,
    });
    const text = await response.text();
    expect([response.status, /<Code>(.*)<\/Code>/.exec(text)?.[1]]).toEqual([status, code]);
  });

  it('two at once are refused', async () => {
    await rejects(put('sum/two', 'hello', HELLO), 400, 'InvalidRequest');
  });
});

describe('objects', () => {
  it('keep their headers and metadata', async () => {
    const headers = {
      ContentType: 'application/x-foo',
      CacheControl: 'max-age=3',
      ContentDisposition: 'attachment; filename="a.bin"',
      ContentLanguage: 'de',
      Expires: new Date(1_800_000_000_000),
      Metadata: { step: '12', 'other-key': 'a b' },
    };
    await put('meta', 'x', headers);
    const { Expires: expires, ...rest } = headers;
    for (const object of [
      await get('meta'),
      await plain.send(new HeadObjectCommand({ Bucket, Key: 'meta' })),
    ]) {
      expect(object).toMatchObject({ ...rest, ExpiresString: expires.toUTCString(), ContentLength: 1 });
    }
    await put('meta', 'x');
    expect((await get('meta')).Metadata).toEqual({});
  });

  it('come back byte for byte when they are compressed', async () => {
    const zipped = gzipSync('hello '.repeat(1_000));
    await put('zipped', zipped, { ContentEncoding: 'gzip' });
    const object = await get('zipped');
    expect(object.ContentEncoding).toBe('gzip');
    expect(object.ContentLength).toBe(zipped.length);
    expect(Buffer.from((await object.Body?.transformToByteArray()) ?? [])).toEqual(zipped);
  });

  it('have the length in HEAD', async () => {
    await put('length', randomBytes(12_345));
    const head = await plain.send(new HeadObjectCommand({ Bucket, Key: 'length' }));
    expect(head.ContentLength).toBe(12_345);
  });

  it('give ranges with 206 and Content-Range', async () => {
    await put('range', '0123456789');
    const first = await get('range', { Range: 'bytes=2-4' });
    expect([first.$metadata.httpStatusCode, first.ContentRange, first.ContentLength]).toEqual([
      206,
      'bytes 2-4/10',
      3,
    ]);
    expect(await first.Body?.transformToString()).toBe('234');
    expect(await (await get('range', { Range: 'bytes=-3' })).Body?.transformToString()).toBe('789');
    expect(await (await get('range', { Range: 'bytes=8-' })).Body?.transformToString()).toBe('89');
    await rejects(get('range', { Range: 'bytes=10-' }), 416, 'InvalidRange');
  });

  it('answer conditional reads with 304 and 412', async () => {
    const { ETag } = await put('conditional', 'x');
    await rejects(get('conditional', { IfNoneMatch: ETag }), 304);
    await rejects(get('conditional', { IfMatch: '"0"' }), 412, 'PreconditionFailed');
    await rejects(plain.send(new HeadObjectCommand({ Bucket, Key: 'conditional', IfMatch: '"0"' })), 412);
    expect((await get('conditional', { IfMatch: ETag })).ETag).toBe(ETag);
  });

  it('answer conditional writes and deletes with 412 and 404', async () => {
    const { ETag } = await put('write', 'one', { IfNoneMatch: '*' });
    await rejects(put('write', 'two', { IfNoneMatch: '*' }), 412, 'PreconditionFailed');
    await rejects(put('write', 'two', { IfMatch: '"0"' }), 412, 'PreconditionFailed');
    await rejects(put('write-missing', 'two', { IfMatch: ETag }), 404, 'NoSuchKey');
    const drop = (IfMatch: string) => plain.send(new DeleteObjectCommand({ Bucket, Key: 'write', IfMatch }));
    await rejects(drop('"0"'), 412, 'PreconditionFailed');
    expect(await textOf('write')).toBe('one');
    await drop(ETag ?? '');
    await rejects(get('write'), 404, 'NoSuchKey');
  });

  it('are copied with their metadata, or with new', async () => {
    const { ETag } = await put('source key+ü', 'copied', { Metadata: { a: '1' }, ContentType: 'text/plain' });
    const copy = (more: object) =>
      plain.send(
        new CopyObjectCommand({
          Bucket,
          Key: 'copy',
          CopySource: encodeURIComponent(`${Bucket}/source key+ü`),
          ...more,
        }),
      );
    expect((await copy({})).CopyObjectResult?.ETag).toBe(ETag);
    expect(await get('copy')).toMatchObject({ Metadata: { a: '1' }, ContentType: 'text/plain' });
    await copy({ MetadataDirective: 'REPLACE', Metadata: { b: '2' } });
    expect((await get('copy')).Metadata).toEqual({ b: '2' });
    expect(await textOf('copy')).toBe('copied');
    await rejects(copy({ CopySourceIfMatch: '"0"' }), 412, 'PreconditionFailed');
    await rejects(copy({ CopySource: `${Bucket}/missing` }), 404, 'NoSuchKey');
    await rejects(copy({ CopySource: `${Bucket}/copy` }), 400, 'InvalidRequest');
  });

  it('are deleted many at a time', async () => {
    const keys = ['del/a', 'del/b&<c>', 'del/ü +'];
    await Promise.all(keys.map((key) => put(key, 'x')));
    const Objects = [...keys, 'del/missing'].map((Key) => ({ Key }));
    const { Deleted } = await plain.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map(({ Key }) => Key)).toEqual([...keys, 'del/missing']);
    expect((await plain.send(new ListObjectsV2Command({ Bucket, Prefix: 'del/' }))).KeyCount).toBe(0);
  });
});

describe('lists', () => {
  beforeAll(async () => {
    for (let index = 0; index < 7; index++) await put(`l/${index % 2}/k${index}`, 'x');
    await put('l/top & <ü>', 'x');
  });
  const list = (more: object) => plain.send(new ListObjectsV2Command({ Bucket, Prefix: 'l/', ...more }));

  it('group by delimiter', async () => {
    const page = await list({ Delimiter: '/' });
    expect(page.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['l/0/', 'l/1/']);
    expect(page.Contents?.map(({ Key }) => Key)).toEqual(['l/top & <ü>']);
    expect(page.KeyCount).toBe(3);
  });

  it('page by token, groups counted', async () => {
    const sizes: number[] = [];
    const seen: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await list({ MaxKeys: 2, Delimiter: '/', ContinuationToken });
      const found = [
        ...(page.CommonPrefixes ?? []).map((group) => group.Prefix),
        ...(page.Contents ?? []).map((object) => object.Key),
      ];
      sizes.push(found.length);
      seen.push(...found);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(sizes).toEqual([2, 1]);
    expect(seen).toEqual(['l/0/', 'l/1/', 'l/top & <ü>']);
  });

  it('start after a key, encode keys, and can be empty', async () => {
    const after = await list({ StartAfter: 'l/1/k1', EncodingType: 'url' });
    expect(after.Contents?.map(({ Key }) => Key)).toEqual(['l/1/k3', 'l/1/k5', 'l/top%20%26%20%3C%C3%BC%3E']);
    const none = await list({ MaxKeys: 0 });
    expect([none.KeyCount, none.IsTruncated]).toEqual([0, false]);
  });

  it('refuse a number of keys that is none', async () => {
    await rejects(list({ MaxKeys: -1 }), 400, 'InvalidArgument');
  });
});

describe('buckets', () => {
  it('other than the main one are apart from it and from each other', async () => {
    for (const name of ['first-bucket', 'first-bucket-2']) {
      await plain.send(new CreateBucketCommand({ Bucket: name }));
      await plain.send(new PutObjectCommand({ Bucket: name, Key: 'same', Body: name }));
    }
    const names = (await plain.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name);
    expect(names).toEqual([Bucket, 'first-bucket', 'first-bucket-2']);
    const page = await plain.send(new ListObjectsV2Command({ Bucket: 'first-bucket' }));
    expect(page.Contents?.map(({ Key }) => Key)).toEqual(['same']);
    await rejects(get('same'), 404, 'NoSuchKey');
    const drop = () => plain.send(new DeleteBucketCommand({ Bucket: 'first-bucket' }));
    await rejects(drop(), 409, 'BucketNotEmpty');
    await plain.send(new DeleteObjectCommand({ Bucket: 'first-bucket', Key: 'same' }));
    await drop();
    await rejects(plain.send(new HeadBucketCommand({ Bucket: 'first-bucket' })), 404);
  });

  it('have valid names and one owner', async () => {
    const create = (name: string) => plain.send(new CreateBucketCommand({ Bucket: name }));
    await rejects(create(Bucket), 409, 'BucketAlreadyOwnedByYou');
    await rejects(create('Upper_Case'), 400, 'InvalidBucketName');
    await rejects(plain.send(new DeleteBucketCommand({ Bucket })), 403, 'AccessDenied');
    await rejects(
      plain.send(new PutObjectCommand({ Bucket: 'nowhere', Key: 'a', Body: 'x' })),
      404,
      'NoSuchBucket',
    );
  });
});

describe('what is not implemented', () => {
  it('says so and touches nothing', async () => {
    await put('tagged', 'body');
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    await rejects(
      plain.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging })),
      501,
      'NotImplemented',
    );
    await rejects(plain.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' })), 501, 'NotImplemented');
    await rejects(put('tagged', 'x', { ServerSideEncryption: 'AES256' }), 501, 'NotImplemented');
    await rejects(put('tagged', 'x', { ACL: 'public-read' }), 501, 'NotImplemented');
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await rejects(plain.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })), 501);
    await rejects(plain.send(new DeleteObjectCommand({ Bucket, Key: 'tagged', VersionId: '1' })), 501);
    expect(await textOf('tagged')).toBe('body');
  });

  it('is a method that S3 does not have', async () => {
    const response = await signedFetch({
      method: 'PATCH',
      url: `${s3.edge.s3Url}/${Bucket}/tagged`,
      ...s3.edge.credentials,
    });
    expect(response.status).toBe(405);
  });
});
