/** The bytes of a stored file as text in UTF-8: unpacked, decoded, without byte order mark. */
import type { FilePart } from '../../../core/ledger.ts';
import type { ObjectStorage } from '../../../core/storage.ts';
import { encodingOf } from './encoding.ts';
import { type Packing, unpacked, unsound } from './packing.ts';
import { checked, storedBytes, type ZipEntry } from './zip.ts';

export interface TextForm {
  packing: Packing;
  /** Of an archive: which part of it. */
  entry?: ZipEntry | undefined;
  /** As the Encoding Standard names it; undefined: found out from the first bytes. */
  encoding: string | undefined;
  /** Lines to leave out at the beginning. */
  skip: number;
}

export interface TextListener {
  signal: AbortSignal;
  /** Sees the bytes as they are stored. */
  onRaw?: ((bytes: Uint8Array) => void) | undefined;
  onEncoding?: ((encoding: string) => void) | undefined;
}

export async function* textOf(
  storage: Pick<ObjectStorage, 'read'>,
  file: Pick<FilePart, 'path' | 'range'>,
  form: TextForm,
  { signal, onRaw, onEncoding }: TextListener,
): AsyncGenerator<Uint8Array> {
  const first = file.range === undefined || file.range.from === 0;
  let pieces = bytesOf(storage, file, form, { signal, onRaw });
  let { encoding } = form;
  if (encoding === undefined) {
    const start = await pieces.next();
    encoding = start.done === true ? 'utf-8' : encodingOf(start.value);
    pieces = resumed(start, pieces);
  }
  onEncoding?.(encoding);
  if (encoding !== 'utf-8') pieces = transcoded(pieces, encoding);
  if (first) pieces = withoutMark(pieces);
  yield* first && form.skip > 0 ? withoutLines(pieces, form.skip) : pieces;
}

async function* resumed(
  start: IteratorResult<Uint8Array, unknown>,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (start.done !== true) yield start.value;
    yield* rest;
  } finally {
    // Who leaves after the first piece has not begun with the rest.
    await rest.return(undefined);
  }
}

async function* tapped(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: ((bytes: Uint8Array) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    onBytes?.(piece);
    yield piece;
  }
}

/** The bytes of a file or of an entry, whatever they are, without what they are packed in. */
export async function* bytesOf(
  storage: Pick<ObjectStorage, 'read'>,
  { path, range }: Pick<FilePart, 'path' | 'range'>,
  { packing, entry }: Pick<TextForm, 'packing' | 'entry'>,
  { signal, onRaw }: TextListener,
): AsyncGenerator<Uint8Array> {
  const stored = entry ? storedBytes(storage, path, entry, signal) : storage.read(path, range, signal);
  const name = entry ? `${path}/${entry.name}` : path;
  const text = unpacked(tapped(stored, onRaw), name, packing);
  try {
    yield* entry ? checked(text, entry) : text;
  } catch (error) {
    throw unsound(error, name, entry ? 'zip' : packing);
  }
}

async function* transcoded(pieces: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding);
  for await (const piece of pieces) yield Buffer.from(decoder.decode(piece, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* withoutMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined = new Uint8Array();
  for await (const piece of pieces) {
    if (held === undefined) {
      yield piece;
      continue;
    }
    const start: Uint8Array = held.length === 0 ? piece : Buffer.concat([held, piece]);
    held = start;
    if (start.length < 3) continue;
    held = undefined;
    const marked = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf;
    yield marked ? start.subarray(3) : start;
  }
  if (held !== undefined && held.length > 0) yield held;
}

async function* withoutLines(pieces: AsyncIterable<Uint8Array>, lines: number): AsyncGenerator<Uint8Array> {
  let left = lines;
  for await (const piece of pieces) {
    let at = 0;
    while (left > 0 && at < piece.length) {
      const end = piece.indexOf(10, at);
      if (end < 0) at = piece.length;
      else {
        at = end + 1;
        left--;
      }
    }
    if (at < piece.length) yield piece.subarray(at);
  }
}
