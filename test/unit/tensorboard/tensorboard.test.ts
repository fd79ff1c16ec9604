/** Event files, read back by a reader of its own that follows the published formats and shares no code with the writer. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeRecord } from '../../../core/tensorboard/record.ts';
import { trainingRuns } from '../../../core/tensorboard/training-runs.ts';
import { eventFiles } from '../../../infra/cli/tensorboard.ts';
import { endedJob, jobAt } from '../../e2e/dashboard-samples.ts';

/** CRC-32C bit by bit (RFC 3720, appendix B.4), masked as TFRecord files have it. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0x82f6_3b78);
  }
  const value = BigInt(~crc >>> 0);
  return Number((((value >> 15n) | (value << 17n)) + 0xa282_ead8n) & 0xffff_ffffn);
}

function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

/** Field number → its values: bytes, or a number as the wire type has it. */
function fields(message: Buffer): Map<number, (Buffer | number)[]> {
  const found = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const read: Record<number, () => Buffer | number> = {
    0: varint,
    1: () => message.readDoubleLE((at += 8) - 8),
    2: () => {
      const length = varint();
      return message.subarray(at, (at += length));
    },
    5: () => message.readFloatLE((at += 4) - 4),
  };
  while (at < message.length) {
    const tag = varint();
    const value = read[tag & 7]!();
    found.set(tag >>> 3, [...(found.get(tag >>> 3) ?? []), value]);
  }
  return found;
}

function scalars(record: Buffer) {
  const event = fields(record);
  const values = (fields(event.get(5)![0] as Buffer).get(1) ?? []).map((value) => {
    const { 0: tag, 1: number } = [1, 2].map((no) => fields(value as Buffer).get(no)![0]);
    return [String(tag), number] as const;
  });
  return { at: event.get(1)![0], step: event.get(2)![0], values: Object.fromEntries(values) };
}

const ended = (() => {
  const job = endedJob('job_0123456789abcdef', 1, 0.9773);
  const history = job.history.map((point, i) => ({
    ...point,
    step: (i + 1) * 117,
    learningRate: 0.001 / (i + 1),
    shards: i === 3 ? 3 : 4,
    committedAt: new Date(Date.parse('2026-01-02T03:04:05.250Z') + i * 1000).toISOString(),
    bytes: { up: 4_885_000 + i, down: 4_885_000, mergeRead: 4_885_000, mergeWritten: 1_221_240 },
  }));
  return { ...job, history };
})();

test('a record has the bytes of the format', () => {
  // The checksum of 32 zeros is in RFC 3720, B.4: 0x8a9136aa.
  const record = Buffer.from(encodeRecord(new Uint8Array(32)));
  const unmasked = (record.readUInt32LE(44) - 0xa282_ead8) >>> 0;
  expect(((unmasked >>> 17) | (unmasked << 15)) >>> 0).toBe(0x8a91_36aa);
  expect(record.length).toBe(48);
});

test('files of a job that ends while it is followed are those of one that has ended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-tensorboard-'));
  try {
    const [followed, whole] = [join(folder, 'followed'), join(folder, 'whole')];
    const files = eventFiles(followed, ended);
    for (const round of [0, 1, 1, 7, 20]) {
      await files.add({ ...ended, history: ended.history.slice(0, round), result: null });
    }
    await files.add(ended);
    expect(files.points).toBe(21);
    await eventFiles(whole, ended).add(ended);

    for (const run of ['train', 'test']) {
      const path = ['mnist-job_0123456789abcdef', run];
      const names = await readdir(join(whole, ...path));
      expect(names).toHaveLength(1);
      expect(names[0]).toMatch(/^events\.out\.tfevents\.\d{10}\.job_0123456789abcdef$/);
      const [a, b] = await Promise.all([followed, whole].map((at) => readFile(join(at, ...path, names[0]!))));
      expect(a).toEqual(b);
      const [version, ...points] = records(b!);
      expect(String(fields(version!).get(3)![0])).toBe('brain.Event:2');
      if (run === 'test') {
        expect(points.map(scalars)).toEqual([
          {
            at: Date.parse(ended.result!.endedAt) / 1000,
            step: 20 * 117,
            values: { accuracy: Math.fround(0.9773), loss: Math.fround(0.079) },
          },
        ]);
        continue;
      }
      expect(points).toHaveLength(20);
      const fourth = scalars(points[3]!);
      expect(fourth).toMatchObject({ at: Date.parse('2026-01-02T03:04:08.250Z') / 1000, step: 4 * 117 });
      expect(fourth.values).toEqual({
        accuracy: Math.fround(ended.history[3]!.metrics['accuracy']!),
        loss: Math.fround(ended.history[3]!.loss),
        'progress/epoch': 1,
        'optimizer/learning_rate': Math.fround(0.00025),
        'fleet/samples_per_second': Math.fround(ended.history[3]!.samplesPerSecond),
        'fleet/shards': 3,
        'bytes/shards_wrote': 4_885_003,
        'bytes/shards_read': 4_885_000,
        'bytes/merge_read': 4_885_000,
        'bytes/merge_wrote': 1_221_240,
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('an API that does not say when rounds were committed is told so', () => {
  expect(() => trainingRuns(jobAt(2))).toThrow(/does not say when the rounds of job_01k2running0/);
});
