/** Text and bytes as LOAD DATA and string literals want them. */
import type { Column } from '../../core/batch.ts';
import type { TextRoom, Texts } from './encode-text.ts';

const BACKSLASH = 92;
/** What follows the backslash, by byte; 0: the byte stands for itself. */
const ESCAPES = new Uint8Array(256);
ESCAPES[0] = 48;
ESCAPES[9] = 116;
ESCAPES[10] = 110;
ESCAPES[BACKSLASH] = BACKSLASH;
const QUOTED = Uint8Array.from(ESCAPES);
QUOTED[39] = 39;

/** The values as they are when nothing in them is to be escaped. `quotes`: they go between quotes. */
export function escapeTexts(
  column: Column,
  rows: number,
  { room, quotes }: { room: TextRoom; quotes: boolean },
): Texts {
  const all = Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.offsets[rows]);
  const escapes = quotes ? QUOTED : ESCAPES;
  if (!escapes.some((escape, byte) => escape !== 0 && all.includes(byte))) return column;
  let more = 0;
  for (let i = 0; i < all.length; i++) if (escapes[all[i]!] !== 0) more++;
  room.reserve(rows, all.length + more);
  const { offsets, bytes } = room;
  let at = 0;
  for (let r = 0; r < rows; r++) {
    offsets[r] = at;
    const end = column.offsets[r + 1]!;
    for (let i = column.offsets[r]!; i < end; i++) {
      const byte = all[i]!;
      const escape = escapes[byte]!;
      if (escape === 0) bytes[at++] = byte;
      else {
        bytes[at++] = BACKSLASH;
        bytes[at++] = escape;
      }
    }
  }
  offsets[rows] = at;
  return room;
}

/** Two digits for each byte. */
export function hexTexts(column: Column, rows: number, room: TextRoom): Texts {
  const used = column.offsets[rows]!;
  room.reserve(rows, 2 * used);
  room.bytes.write(Buffer.from(column.bytes.buffer, column.bytes.byteOffset, used).toString('hex'), 'latin1');
  for (let r = 0; r <= rows; r++) room.offsets[r] = 2 * column.offsets[r]!;
  return room;
}
