import { randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openS3, type S3Fixture } from './s3-fixture.ts';

const MIB = 1024 * 1024;

describe('multipart uploads', () => {
  let s3: S3Fixture;
  let Bucket: string;
  beforeAll(async () => {
    s3 = await openS3();
    Bucket = s3.edge.bucket;
  });
  afterAll(() => s3.close());

  const create = async (Key: string, more: object = {}) => {
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
    return { Bucket, Key, UploadId: UploadId ?? '' };
  };
  type Upload = Awaited<ReturnType<typeof create>>;
  const upload = async (target: Upload, PartNumber: number, Body: Uint8Array | string, more: object = {}) => {
    const { ETag } = await s3.client.send(new UploadPartCommand({ ...target, PartNumber, Body, ...more }));
    return { PartNumber, ETag };
  };
  const complete = (target: Upload, Parts: readonly object[], more: object = {}) =>
    s3.client.send(
      new CompleteMultipartUploadCommand({ ...target, MultipartUpload: { Parts: [...Parts] }, ...more }),
    );
  const rejects = (call: Promise<unknown>, status: number, name: string) =>
    expect(call).rejects.toMatchObject({ name, $metadata: { httpStatusCode: status } });

  it('join their parts, in order, under the metadata of their creation', async () => {
    const bytes = randomBytes(12 * MIB);
    const target = await create('joined', { ContentType: 'application/x-parts', Metadata: { a: '1' } });
    const slice = (index: number) =>
      bytes.subarray(5 * MIB * index, Math.min(bytes.length, 5 * MIB * (index + 1)));
    // Uploaded in another order than they are joined in.
    const third = await upload(target, 3, slice(2));
    const first = await upload(target, 1, slice(0));
    const second = await upload(target, 2, slice(1));
    const done = await complete(target, [first, second, third]);
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
    const object = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'joined' }));
    expect(object).toMatchObject({
      ContentType: 'application/x-parts',
      Metadata: { a: '1' },
      ETag: done.ETag,
    });
    expect(Buffer.from((await object.Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    const across = await s3.client.send(
      new GetObjectCommand({ Bucket, Key: 'joined', Range: `bytes=${5 * MIB - 2}-${5 * MIB + 1}` }),
    );
    expect(Buffer.from((await across.Body?.transformToByteArray()) ?? [])).toEqual(
      bytes.subarray(5 * MIB - 2, 5 * MIB + 2),
    );
    await rejects(complete(target, [first, second, third]), 404, 'NoSuchUpload');
  });

  it('are not seen before they are complete', async () => {
    const target = await create('unseen');
    await upload(target, 1, 'x');
    await rejects(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'unseen' })), 404, 'NotFound');
  });

  it('verify the checksum of each part', async () => {
    const target = await create('checked');
    await rejects(upload(target, 1, 'hello', { ChecksumCRC32: 'AAAAAA==' }), 400, 'BadDigest');
    const part = await s3.client.send(
      new UploadPartCommand({ ...target, PartNumber: 1, Body: 'hello', ChecksumCRC32: 'NhCmhg==' }),
    );
    expect(part.ChecksumCRC32).toBe('NhCmhg==');
  });

  it('refuse small, unordered, unknown and no parts', async () => {
    const target = await create('refused');
    const one = await upload(target, 1, 'x');
    const two = await upload(target, 2, 'x');
    await rejects(complete(target, [one, two]), 400, 'EntityTooSmall');
    await rejects(complete(target, [two, one]), 400, 'InvalidPartOrder');
    await rejects(complete(target, [{ PartNumber: 1, ETag: '"0"' }]), 400, 'InvalidPart');
    await rejects(complete(target, []), 400, 'MalformedXML');
    await rejects(upload(target, 10_001, 'x'), 400, 'InvalidArgument');
    await rejects(complete({ ...target, Key: 'other' }, [one]), 404, 'NoSuchUpload');
    await complete(target, [one]);
  });

  it('complete only if the key is still free', async () => {
    const target = await create('taken');
    const part = await upload(target, 1, 'late');
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'taken', Body: 'early' }));
    await rejects(complete(target, [part], { IfNoneMatch: '*' }), 412, 'PreconditionFailed');
    const object = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'taken' }));
    expect(await object.Body?.transformToString()).toBe('early');
    await complete(target, [part], { IfMatch: object.ETag });
  });

  it('are listed with their parts until they end', async () => {
    const first = await create('listed/a');
    const second = await create('listed/b');
    const list = async (more: object = {}) =>
      s3.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'listed/', ...more }));
    expect((await list()).Uploads?.map(({ Key }) => Key)).toEqual(['listed/a', 'listed/b']);
    const page = await list({ MaxUploads: 1 });
    expect([page.IsTruncated, page.NextKeyMarker]).toEqual([true, 'listed/a']);
    const rest = await list({ KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker });
    expect(rest.Uploads?.map(({ UploadId }) => UploadId)).toEqual([second.UploadId]);

    await upload(first, 2, 'xy');
    await upload(first, 1, 'x');
    const parts = await s3.client.send(new ListPartsCommand({ ...first }));
    expect(parts.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    const last = await s3.client.send(new ListPartsCommand({ ...first, PartNumberMarker: '1' }));
    expect(last.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([2]);

    await s3.client.send(new AbortMultipartUploadCommand(first));
    await rejects(upload(first, 1, 'x'), 404, 'NoSuchUpload');
    await rejects(s3.client.send(new ListPartsCommand({ ...first })), 404, 'NoSuchUpload');
    await complete(second, [await upload(second, 1, 'x')]);
    expect((await list()).Uploads ?? []).toEqual([]);
  });
});
