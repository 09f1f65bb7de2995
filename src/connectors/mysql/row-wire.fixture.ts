/** Packets as a server sends them, made by hand. */

function lenenc(length: number): Buffer {
  if (length < 251) return Buffer.from([length]);
  if (length < 1 << 16) return Buffer.from([0xfc, length & 0xff, length >> 8]);
  if (length < 1 << 24) return Buffer.from([0xfd, length & 0xff, (length >> 8) & 0xff, length >> 16]);
  return Buffer.concat([Buffer.from([0xfe]), int(length, 8)]);
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([lenenc(bytes.length), bytes]);
}

export function int(value: number | bigint, bytes: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
  return out.subarray(0, bytes);
}

/** A date or a time of a date, as long as it has to be. */
export function moment(...parts: number[]): Buffer {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = parts;
  if (parts.length === 0) return Buffer.from([0]);
  const date = [year & 0xff, year >> 8, month, day];
  if (parts.length <= 3) return Buffer.from([4, ...date]);
  const time = [hour, minute, second];
  if (parts.length <= 6) return Buffer.from([7, ...date, ...time]);
  return Buffer.concat([Buffer.from([11, ...date, ...time]), int(micros, 4)]);
}

/** The payload of a binary row; null stands for NULL. */
export function row(fields: (Buffer | null)[]): Buffer {
  const nulls = Buffer.alloc((fields.length + 9) >> 3);
  fields.forEach((field, i) => {
    if (field === null) nulls[(i + 2) >> 3]! |= 1 << ((i + 2) & 7);
  });
  return Buffer.concat([Buffer.from([0]), nulls, ...fields.filter((field) => field !== null)]);
}

const LONGEST = 0xff_ffff;

/** With headers, in as many packets as it takes; `number` is that of the first. */
export function packets(payload: Buffer, number: number = 0): Buffer {
  const out: Buffer[] = [];
  for (let at = 0, n = number; ; at += LONGEST, n++) {
    const part = payload.subarray(at, at + LONGEST);
    out.push(Buffer.from([part.length & 0xff, (part.length >> 8) & 0xff, part.length >> 16, n & 0xff]), part);
    if (part.length < LONGEST) return Buffer.concat(out);
  }
}
