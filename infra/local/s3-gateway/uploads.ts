/**
 * The record of unfinished multipart uploads. R2's binding can create, resume, complete and abort an upload, but not
 * say which there are or which parts they have; ListMultipartUploads and ListParts need to know.
 */
import type { Bucket } from './calls.ts';
import { S3Error } from './errors.ts';

export interface UploadRecord {
  readonly key: string;
  readonly uploadId: string;
  /** ISO 8601. */
  readonly initiated: string;
}

export interface PartRecord {
  readonly number: number;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
}

const uploadsPrefix = (bucket: string) => `uploads/${bucket}/`;
const partsPrefix = (bucket: string, uploadId: string) => `parts/${bucket}/${uploadId}/`;

async function listAll(r2: R2Bucket, prefix: string): Promise<R2Object[]> {
  const found: R2Object[] = [];
  let cursor: string | undefined;
  do {
    const page: R2Objects = await r2.list({
      prefix,
      include: ['customMetadata'],
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.objects);
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return found;
}

/** @param r2 where the records are kept */
export function uploadRecords(r2: R2Bucket, bucket: Bucket) {
  const uploadKey = (uploadId: string) => uploadsPrefix(bucket.name) + uploadId;
  return {
    async open(record: UploadRecord): Promise<void> {
      await r2.put(uploadKey(record.uploadId), JSON.stringify(record));
    },

    /** @throws S3Error NoSuchUpload */
    async find(key: string, uploadId: string): Promise<UploadRecord> {
      const record = await (await r2.get(uploadKey(uploadId)))?.json<UploadRecord>();
      if (record?.key !== key) throw new S3Error('NoSuchUpload');
      return record;
    },

    async list(): Promise<UploadRecord[]> {
      const keys = await listAll(r2, uploadsPrefix(bucket.name));
      const records = await Promise.all(
        keys.map(async ({ key }) => (await r2.get(key))?.json<UploadRecord>()),
      );
      return records.filter((record) => record !== undefined);
    },

    async addPart(uploadId: string, { number, etag, size }: Omit<PartRecord, 'modified'>): Promise<void> {
      const key = partsPrefix(bucket.name, uploadId) + String(number).padStart(5, '0');
      await r2.put(key, '', { customMetadata: { etag, size: String(size) } });
    },

    /** In ascending order of their numbers. */
    async parts(uploadId: string): Promise<PartRecord[]> {
      const prefix = partsPrefix(bucket.name, uploadId);
      return (await listAll(r2, prefix)).map(({ key, uploaded, customMetadata }) => ({
        number: Number(key.slice(prefix.length)),
        etag: customMetadata?.['etag'] ?? '',
        size: Number(customMetadata?.['size']),
        modified: uploaded,
      }));
    },

    async close(uploadId: string): Promise<void> {
      const parts = await listAll(r2, partsPrefix(bucket.name, uploadId));
      const keys = [uploadKey(uploadId), ...parts.map(({ key }) => key)];
      for (let start = 0; start < keys.length; start += 1_000)
        await r2.delete(keys.slice(start, start + 1_000));
    },
  };
}
