/**
 * TFRecord framing (tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details"): length, masked CRC-32C of
 * the length, data, masked CRC-32C of the data; all little-endian.
 */
import { crc32c } from '../checksums/crc.ts';

/** Masked, so that the checksum of data that holds checksums is no trivial one. */
const masked = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
};

export function encodeRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return record;
}
