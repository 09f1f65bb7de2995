/** Reading JSON of unknown content field by field; every complaint names the file and the field. */
import { createHash } from 'node:crypto';
import { ConfigError, type SluiceError } from '../../core/errors.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { Checkpoint, PartitionBy } from '../../core/stream.ts';

interface File {
  key: string;
  what: 'commit' | 'snapshot';
  code: string;
}

/** An object inside a file, and the path that leads to it. */
export interface Place {
  readonly file: File;
  readonly path: string;
  readonly object: Readonly<Record<string, unknown>>;
}

type Reader<T> = (at: Place, name: string) => T;

/** The last field of every file. A changed digit would still be JSON, and would lose rows in silence. */
const CHECKSUM = /,"checksum":"([0-9a-f]{32})"\}\n$/;

/** The content of a file: the object as JSON, with a checksum over all of it. */
export function render(value: object): string {
  const content = JSON.stringify(value);
  return `${content.slice(0, -1)},"checksum":"${checksumOf(content)}"}\n`;
}

function checksumOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

/** Parses a whole file with `read`. */
export function parsed<T>(content: string, file: File, read: (top: Place) => T): T {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw damaged(file, `it is not JSON (${content.length} characters)`, error);
  }
  if (!isObject(value)) throw damaged(file, 'it does not hold an object');
  const end = CHECKSUM.exec(content);
  if (!end) throw damaged(file, 'it does not end in a checksum');
  if (checksumOf(`${content.slice(0, end.index)}}`) !== end[1])
    throw damaged(file, 'its checksum does not fit: something in it was changed');
  return read({ file, path: '', object: value });
}

export function checkFormat(at: Place, known: number): void {
  const format = count(at, 'format');
  if (format === known) return;
  if (format < known) return wrong(at, 'format', `the number ${known}`);
  throw new ConfigError(
    `reading ${at.file.what} "${at.file.key}": it has format ${format}, this version of sluice knows ${known}`,
    {
      code: 'lake.format_newer',
      remedy: 'update sluice on this machine: the lake was written by a newer version',
      details: { file: at.file.key, format },
    },
  );
}

export function wrong(at: Place, name: string, expected: string): never {
  throw damaged(at.file, `field "${at.path}${name}" is not ${expected}`);
}

export const text: Reader<string> = (at, name) => {
  const value = at.object[name];
  return typeof value === 'string' ? value : wrong(at, name, 'text');
};

export const count: Reader<number> = (at, name) => {
  const value = at.object[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : wrong(at, name, 'a count');
};

const flag: Reader<boolean> = (at, name) => {
  const value = at.object[name];
  return typeof value === 'boolean' ? value : wrong(at, name, 'true or false');
};

export const texts: Reader<string[]> = (at, name) => {
  const value = at.object[name];
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
    ? value
    : wrong(at, name, 'a list of texts');
};

export function oneOf<T extends string>(at: Place, name: string, allowed: readonly T[]): T {
  const value = text(at, name);
  return allowed.find((item) => item === value) ?? wrong(at, name, `one of ${allowed.join(', ')}`);
}

export function optional<T>(at: Place, name: string, read: Reader<T>): T | undefined {
  return at.object[name] === undefined ? undefined : read(at, name);
}

export function member(at: Place, name: string): Place {
  const value = at.object[name];
  return isObject(value)
    ? { file: at.file, path: `${at.path}${name}.`, object: value }
    : wrong(at, name, 'an object');
}

export function list<T>(at: Place, name: string, read: (item: Place) => T): T[] {
  const value = at.object[name];
  if (!Array.isArray(value)) return wrong(at, name, 'a list');
  return value.map((item: unknown, i) => {
    if (!isObject(item)) return wrong(at, `${name}[${i}]`, 'an object');
    return read({ file: at.file, path: `${at.path}${name}[${i}].`, object: item });
  });
}

export function partition(at: Place): Record<string, string | null> {
  for (const [level, value] of Object.entries(at.object))
    if (value !== null && typeof value !== 'string') wrong(at, level, 'text or null');
  return at.object as Record<string, string | null>;
}

export const schema: Reader<SchemaJson> = (parent, name) => {
  const at = member(parent, name);
  const fields = list(at, 'fields', (field) => {
    const [source, of] = [optional(field, 'source', text), optional(field, 'of', text)];
    return {
      name: text(field, 'name'),
      type: text(field, 'type'),
      nullable: flag(field, 'nullable'),
      native: optional(field, 'native', text),
      ...(source !== undefined && { source }),
      ...(of !== undefined && { of }),
      ...(optional(field, 'gone', flag) === true && { gone: true as const }),
    };
  });
  return { fields, key: texts(at, 'key') };
};

export const partitionBy: Reader<PartitionBy> = (parent, name) => {
  const at = member(parent, name);
  return { column: text(at, 'column'), by: oneOf(at, 'by', ['hour', 'day', 'month', 'year', 'value']) };
};

/** The engine's own; only what decides where reading goes on is checked here, the rest stays what it is. */
export const checkpoint: Reader<Checkpoint> = (parent, name) => {
  const at = member(parent, name);
  for (const field of ['relation', 'watermark', 'high', 'seen', 'position', 'round', 'readAt', 'day'])
    optional(at, field, text);
  for (const field of ['pending', 'unfinished']) optional(at, field, member);
  return { ...at.object, cursor: texts(at, 'cursor') };
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(file: File, found: string, cause?: unknown): SluiceError {
  return new ConfigError(`reading ${file.what} "${file.key}": ${found}`, {
    code: file.code,
    remedy:
      'restore this file from a backup or an earlier version of the object; if it is the newest commit of the table, moving it away undoes that load only',
    details: { file: file.key },
    cause,
  });
}
