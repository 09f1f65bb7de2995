/**
 * Archives of zip, also large ones (PKWARE APPNOTE 6.3.10): what their directory at the end says, and the bytes of an entry. Only the
 * ranges that are needed are read. What the directory says is checked: nothing overlaps, nothing lies before or behind.
 */
import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { compareKeys, type ObjectStorage } from '../../../core/storage.ts';
import { notReadable, type Packing, unsound } from './packing.ts';

export interface ZipEntry {
  name: string;
  packing: Packing;
  /** Where its own head begins, and the latest place where its data ends. */
  from: number;
  to: number;
  /** Bytes as stored, and as text. */
  packed: number;
  bytes: number;
  crc32: number;
}

export interface ZipArchive {
  /** By name. */
  entries: ZipEntry[];
  /** Names of files in it that are no text. */
  others: string[];
  /** Of the directory, which holds the checksums of all entries. */
  crc32: number;
}

interface Place {
  /** Which names promise text. */
  isText: (name: string) => boolean;
  storage: ObjectStorage;
  path: string;
  size: number;
  signal: AbortSignal;
}

const DIRECTORY = 0x02014b50;
const DIRECTORY_HEAD = 46;
const END = 0x06054b50;
const END_BYTES = 22;
const END_64 = 0x06064b50;
const END_64_BYTES = 56;
const LOCATOR_64 = 0x07064b50;
const LOCATOR_BYTES = 20;
const LOCAL = 0x04034b50;
const LOCAL_HEAD = 30;
/** Of names, extra fields and comments. */
const LONGEST_FIELD = 0xffff;
const MOST_DIRECTORY_BYTES = 64 << 20;

const METHODS: Readonly<Record<number, Packing>> = { 0: 'none', 8: 'deflate', 12: 'bzip2', 93: 'zstd' };

/** What packers of some systems add by themselves. */
const CLUTTER = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i;

export async function readArchive(place: Place): Promise<ZipArchive> {
  try {
    const { from, to } = await directoryOf(place);
    const bytes = await bytesOf(place, from, to);
    return { ...entriesOf(bytes, place, from), crc32: crc32(bytes) };
  } catch (error) {
    throw unsound(error, place.path, 'zip');
  }
}

async function bytesOf({ storage, path, signal }: Place, from: number, to: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of storage.read(path, { from, to }, signal)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  if (bytes.length !== to - from) throw new Error('it ends too early');
  return bytes;
}

/** Where the directory lies. */
async function directoryOf(place: Place): Promise<{ from: number; to: number }> {
  const { size } = place;
  const start = Math.max(0, size - END_BYTES - LONGEST_FIELD - LOCATOR_BYTES);
  const tail = await bytesOf(place, start, size);
  let end = tail.length - END_BYTES;
  // Behind it lies a comment, and nothing else.
  while (
    end >= 0 &&
    !(tail.readUInt32LE(end) === END && end + END_BYTES + tail.readUInt16LE(end + 20) === tail.length)
  )
    end--;
  if (end < 0) throw new Error('its end is missing');
  let to = start + end;
  let [disk, bytes, from] = [
    tail.readUInt16LE(end + 4),
    tail.readUInt32LE(end + 12),
    tail.readUInt32LE(end + 16),
  ];
  const locator = end - LOCATOR_BYTES;
  if (locator >= 0 && tail.readUInt32LE(locator) === LOCATOR_64) {
    to = numberAt(tail, locator + 8);
    const large = await bytesOf(place, to, Math.min(to + END_64_BYTES, size));
    if (large.readUInt32LE(0) !== END_64) throw new Error('its end is none');
    [disk, bytes, from] = [large.readUInt32LE(16), numberAt(large, 40), numberAt(large, 48)];
  }
  if (disk !== 0 || from + bytes !== to) throw new Error('its directory is not where it should be');
  if (bytes > MOST_DIRECTORY_BYTES) throw new Error('its directory is too large');
  return { from, to };
}

/** Of 64 bits. */
function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

function entriesOf(
  directory: Buffer,
  { path, isText }: Place,
  end: number,
): Pick<ZipArchive, 'entries' | 'others'> {
  const entries: ZipEntry[] = [];
  const others: string[] = [];
  const all: ZipEntry[] = [];
  for (let at = 0; at < directory.length;) {
    if (directory.readUInt32LE(at) !== DIRECTORY) throw new Error('its directory is none');
    const { entry, flags, method, next } = entryAt(directory, at);
    const { name } = entry;
    all.push(entry);
    at = next;
    if (name.endsWith('/') || CLUTTER.test(name) || entry.bytes === 0) continue;
    if (!isText(name)) others.push(name);
    else {
      if ((flags & 1) !== 0)
        throw notReadable(`${path}/${name}`, 'it is encrypted', {
          remedy: 'pack it again without a password',
        });
      if (!Object.hasOwn(METHODS, method))
        throw notReadable(
          `${path}/${name}`,
          `it is packed by method ${method} of zip, which cannot be read here`,
          {
            remedy: 'pack it again by deflate, as most programs do',
          },
        );
      entries.push(entry);
    }
  }
  if (entries.length === 0 && others.length > 0)
    throw notReadable(path, `none of its ${others.length} files is named as text ("${others[0]}")`, {
      remedy: 'text has endings such as .csv and .jsonl; say with `format` that all of them are',
    });
  // What lies between two heads belongs to the first.
  all.sort((a, b) => a.from - b.from);
  for (const [i, entry] of all.entries()) {
    entry.to = Math.min(all[i + 1]?.from ?? end, entry.from + LOCAL_HEAD + 2 * LONGEST_FIELD + entry.packed);
    if (entry.from + LOCAL_HEAD + entry.packed > entry.to) throw new Error('two entries are in one place');
  }
  if (new Set(entries.map(({ name }) => name)).size < entries.length)
    throw new Error('two entries have one name');
  return { entries: entries.toSorted((a, b) => compareKeys(a.name, b.name)), others };
}

function entryAt(
  bytes: Buffer,
  at: number,
): { entry: ZipEntry; flags: number; method: number; next: number } {
  const flags = bytes.readUInt16LE(at + 8);
  const method = bytes.readUInt16LE(at + 10);
  const names = at + DIRECTORY_HEAD;
  const extra = names + bytes.readUInt16LE(at + 28);
  const comment = extra + bytes.readUInt16LE(at + 30);
  const next = comment + bytes.readUInt16LE(at + 32);
  if (next > bytes.length) throw new Error('its directory is cut');
  const name = bytes.subarray(names, extra);
  const wide = wideNumbers(bytes.subarray(extra, comment));
  // What does not fit 32 bits is among the extra fields, in this order.
  const large = (place: number): number => {
    const found = bytes.readUInt32LE(at + place);
    return found === 0xffff_ffff ? (wide.shift() ?? found) : found;
  };
  const [unpacked, packed, from] = [large(24), large(20), large(42)];
  const entry: ZipEntry = {
    name: isUtf8(name) ? name.toString('utf8') : name.toString('latin1'),
    packing: METHODS[method] ?? 'none',
    from,
    to: from,
    packed,
    bytes: unpacked,
    crc32: bytes.readUInt32LE(at + 16),
  };
  return { entry, flags, method, next };
}

function wideNumbers(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      const numbers: number[] = [];
      for (let p = at + 4; p + 8 <= Math.min(end, extra.length); p += 8) numbers.push(numberAt(extra, p));
      return numbers;
    }
    at = end;
  }
  return [];
}

/** The bytes of an entry as they are stored. */
export async function* storedBytes(
  storage: Pick<ObjectStorage, 'read'>,
  path: string,
  entry: ZipEntry,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { from, to } = entry;
  let head: Buffer | undefined = Buffer.alloc(0);
  let left = entry.packed;
  for await (const piece of storage.read(path, { from, to }, signal)) {
    let data = piece;
    if (head) {
      head = Buffer.concat([head, piece]);
      const begin = head.length < LOCAL_HEAD ? Infinity : headBytes(head);
      if (head.length < begin) continue;
      data = head.subarray(begin);
      head = undefined;
    }
    const some = data.subarray(0, left);
    left -= some.length;
    if (some.length > 0) yield some;
    if (left === 0) return;
  }
  if (left > 0 || head) throw new Error('it ends too early');
}

function headBytes(head: Buffer): number {
  if (head.readUInt32LE(0) !== LOCAL) throw new Error('an entry begins otherwise');
  return LOCAL_HEAD + head.readUInt16LE(26) + head.readUInt16LE(28);
}

/** Passes the text of an entry on, as long as it is no more than there is to be, and checks it. */
export async function* checked(
  pieces: AsyncIterable<Uint8Array>,
  entry: Pick<ZipEntry, 'bytes' | 'crc32'>,
): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    sum = crc32(piece, sum);
    if (bytes > entry.bytes) break;
    yield piece;
  }
  if (bytes !== entry.bytes || sum !== entry.crc32) throw new Error('its text is not what it was');
}
