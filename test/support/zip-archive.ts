/** Makes archives of zip, also such as no program would. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipInput {
  name: string;
  text: string | Uint8Array;
  /** Wrong on purpose. */
  says?: { crc32?: number; bytes?: number; from?: number; method?: number; flags?: number };
}

/** `wide`: numbers of 64 bits, as in archives of more than 4 GB. */
export function makeZip(entries: readonly ZipInput[], { wide = false }: { wide?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, text, says } of entries) {
    const bytes = Buffer.from(text);
    const packed = deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(says?.flags ?? 0x800, 2);
    common.writeUInt16LE(says?.method ?? 8, 4);
    common.writeUInt32LE(says?.crc32 ?? crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(says?.bytes ?? bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    parts.push(word(0x04034b50), common, Buffer.from(name), packed);
    directory.push(headOf(common, { name, from: says?.from ?? at, wide }));
    at += 30 + Buffer.byteLength(name) + packed.length;
  }
  const names = Buffer.concat(directory);
  return Buffer.concat([...parts, names, endOf({ at, size: names.length, count: entries.length, wide })]);
}

function headOf(common: Buffer, { name, from, wide }: { name: string; from: number; wide: boolean }): Buffer {
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  common.copy(head, 6);
  head.writeUInt32LE(from, 42);
  if (!wide) return Buffer.concat([head, Buffer.from(name)]);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(common.readUInt32LE(18)), 4);
  extra.writeBigUInt64LE(BigInt(common.readUInt32LE(14)), 12);
  extra.writeBigUInt64LE(BigInt(from), 20);
  for (const place of [20, 24, 42]) head.writeUInt32LE(0xffff_ffff, place);
  head.writeUInt16LE(extra.length, 30);
  return Buffer.concat([head, Buffer.from(name), extra]);
}

function endOf({
  at,
  size,
  count,
  wide,
}: {
  at: number;
  size: number;
  count: number;
  wide: boolean;
}): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? 0xffff_ffff : size, 12);
  end.writeUInt32LE(wide ? 0xffff_ffff : at, 16);
  if (!wide) return end;
  const large = Buffer.alloc(56);
  large.writeUInt32LE(0x06064b50, 0);
  large.writeBigUInt64LE(44n, 4);
  large.writeBigUInt64LE(BigInt(count), 24);
  large.writeBigUInt64LE(BigInt(count), 32);
  large.writeBigUInt64LE(BigInt(size), 40);
  large.writeBigUInt64LE(BigInt(at), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(at + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([large, locator, end]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
