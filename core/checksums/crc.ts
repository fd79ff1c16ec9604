/** CRC-32 (ISO-HDLC, as in zip) and CRC-32C (Castagnoli), reflected, eight bytes a step ("slicing-by-8"). */

type Tables = readonly Uint32Array[];

/** @param polynomial reversed */
function makeTables(polynomial: number): Tables {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  const [first = new Uint32Array(256)] = tables;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    first[byte] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    const before = tables[slice - 1] ?? first;
    const table = tables[slice] ?? first;
    for (let byte = 0; byte < 256; byte++) {
      const crc = before[byte] ?? 0;
      table[byte] = (crc >>> 8) ^ (first[crc & 0xff] ?? 0);
    }
  }
  return tables;
}

const at = (table: Uint32Array | undefined, index: number) => table?.[index & 0xff] ?? 0;

function crc([t0, t1, t2, t3, t4, t5, t6, t7]: Tables, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 8);
  let value = 0xffff_ffff;
  for (let offset = 0; offset < whole; offset += 8) {
    const low = view.getUint32(offset, true) ^ value;
    const high = view.getUint32(offset + 4, true);
    value =
      at(t7, low) ^
      at(t6, low >>> 8) ^
      at(t5, low >>> 16) ^
      at(t4, low >>> 24) ^
      at(t3, high) ^
      at(t2, high >>> 8) ^
      at(t1, high >>> 16) ^
      at(t0, high >>> 24);
  }
  for (let offset = whole; offset < bytes.length; offset++) {
    value = (value >>> 8) ^ at(t0, value ^ view.getUint8(offset));
  }
  return ~value >>> 0;
}

const CRC32 = makeTables(0xedb8_8320);
const CRC32C = makeTables(0x82f6_3b78);

/** @returns an unsigned 32-bit number */
export const crc32 = (bytes: Uint8Array) => crc(CRC32, bytes);
export const crc32c = (bytes: Uint8Array) => crc(CRC32C, bytes);
