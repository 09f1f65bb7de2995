/** Takes Singer messages out of bytes as they come. Records stay bytes; all other messages are read. */
import { DataError } from '../../core/errors.ts';
import { MessageLine } from './message-line.ts';

const LF = 10;
const OPEN_OBJECT = 0x7b;
const LINE_FEED: Uint8Array = Uint8Array.of(LF);

/** No record is longer, and its message has little more. */
const MOST_LINE_BYTES = 80 << 20;

export interface SchemaMessage {
  kind: 'schema';
  stream: string;
  schema: unknown;
  key: string[];
}

export interface BatchMessage {
  kind: 'batch';
  stream: string;
  format: string;
  compression: string;
  manifest: string[];
}

export type Message =
  /** Where it lies is in {@link MessageReader.record}. */
  | { kind: 'record' }
  | SchemaMessage
  | BatchMessage
  /** `value` as JSON, with all digits. */
  | { kind: 'state'; value: string }
  | { kind: 'activate'; stream: string; version: number }
  /** No message: what programs print. */
  | { kind: 'noise' }
  /** A message of a type that is not known. */
  | { kind: 'unknown'; type: string }
  /** Was to be a message, and cannot be read. */
  | { kind: 'broken'; found: string };

const RECORD: Message = { kind: 'record' };
const NOISE: Message = { kind: 'noise' };
const RECORD_TYPE: Uint8Array = Buffer.from('"RECORD"');

/** The record that was read last; it has to be used before the next message is asked for. */
export interface ReadRecord {
  stream: string;
  bytes: Uint8Array;
  start: number;
  end: number;
  version: number | undefined;
  /** Where it says when the tap read it, as JSON; no end: it does not. */
  extractedStart: number;
  extractedEnd: number;
}

export class MessageReader {
  /** Of the message that was read last, from 1. */
  line = 0;
  readonly record: ReadRecord = {
    stream: '',
    bytes: new Uint8Array(),
    start: 0,
    end: 0,
    version: undefined,
    extractedStart: 0,
    extractedEnd: 0,
  };
  readonly #members = new MessageLine();
  /** Pieces of a line that goes on. */
  #begun: Uint8Array[] = [];
  #begunBytes = 0;
  /** Such a line, once its end is there. */
  #joined: Uint8Array | undefined;
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  /** The stream of the record before, as it is written. */
  #name: Uint8Array = new Uint8Array();

  /** More bytes, once {@link next} has no more messages; they must not be written to any more. */
  add(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    if (this.#begunBytes === 0) return;
    const end = bytes.indexOf(LF);
    this.#at = end < 0 ? bytes.length : end + 1;
    this.#keep(bytes.subarray(0, this.#at));
    if (end >= 0) this.#join();
  }

  /** Nothing comes any more: a last line may have no end. */
  end(): void {
    this.#bytes = new Uint8Array();
    this.#at = 0;
    if (this.#begunBytes === 0) return;
    this.#keep(LINE_FEED);
    this.#join();
  }

  #keep(bytes: Uint8Array): void {
    this.#begun.push(bytes);
    this.#begunBytes += bytes.length;
    if (this.#begunBytes <= MOST_LINE_BYTES) return;
    throw new DataError(
      `reading Singer messages: line ${this.line + 1} has more than ${MOST_LINE_BYTES >> 20} MiB`,
      { code: 'singer.line_too_long', remedy: 'messages stand on lines of their own' },
    );
  }

  #join(): void {
    this.#joined = Buffer.concat(this.#begun);
    this.#begun = [];
    this.#begunBytes = 0;
  }

  /** Undefined: more bytes are needed. Empty lines are left out. */
  next(): Message | undefined {
    for (;;) {
      const joined = this.#joined;
      this.#joined = undefined;
      const bytes = joined ?? this.#bytes;
      const from = joined ? 0 : this.#at;
      const end = joined ? joined.length - 1 : bytes.indexOf(LF, from);
      if (end < 0) {
        if (from < bytes.length) this.#keep(bytes.subarray(from));
        this.#at = bytes.length;
        return undefined;
      }
      if (!joined) this.#at = end + 1;
      this.line++;
      const message = this.#read(bytes, from, end);
      if (message) return message;
    }
  }

  #read(bytes: Uint8Array, from: number, to: number): Message | undefined {
    const members = this.#members;
    if (!members.read(bytes, from, to)) {
      const first = bytes.subarray(from, to).findIndex((byte) => byte > 0x20);
      if (first < 0) return undefined;
      return bytes[from + first] === OPEN_OBJECT ? broken('is no JSON object') : NOISE;
    }
    if (members.is('type', RECORD_TYPE)) return this.#record();
    const type = members.text('type')?.toUpperCase();
    if (type === undefined) return NOISE;
    if (type === 'RECORD') return this.#record();
    if (type === 'STATE') {
      const value = members.json('value');
      return value !== undefined && isJson(value)
        ? { kind: 'state', value }
        : broken('is a STATE without a value');
    }
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(Buffer.from(bytes.subarray(from, to)).toString('utf8')) as Record<string, unknown>;
    } catch {
      return broken('is no JSON object');
    }
    return otherMessage(type, message);
  }

  #record(): Message {
    const members = this.#members;
    const { record } = this;
    const start = members.start('record');
    if (members.end('record') === 0 || members.bytes[start] !== OPEN_OBJECT)
      return broken('is a RECORD without a record');
    if (this.#name.length === 0 || !members.is('stream', this.#name)) {
      const stream = members.text('stream');
      if (stream === undefined) return broken('is a RECORD without a stream');
      record.stream = stream;
      this.#name = members.bytes.slice(members.start('stream'), members.end('stream'));
    }
    record.bytes = members.bytes;
    record.start = start;
    record.end = members.end('record');
    record.version = numberOf(members.json('version'));
    record.extractedStart = members.start('time_extracted');
    record.extractedEnd = members.end('time_extracted');
    return RECORD;
  }
}

function numberOf(written: string | undefined): number | undefined {
  const number = written === undefined ? Number.NaN : Number(written);
  return Number.isFinite(number) ? number : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function broken(found: string): Message {
  return { kind: 'broken', found };
}

function otherMessage(type: string, message: Record<string, unknown>): Message {
  const { stream } = message;
  if (type !== 'SCHEMA' && type !== 'ACTIVATE_VERSION' && type !== 'BATCH') return { kind: 'unknown', type };
  if (typeof stream !== 'string' || stream === '') return broken(`is a ${type} without a stream`);
  if (type === 'SCHEMA') {
    const { schema } = message;
    if (typeof schema !== 'object' || schema === null) return broken('is a SCHEMA without a schema');
    return { kind: 'schema', stream, schema, key: textsOf(message['key_properties']) };
  }
  if (type === 'ACTIVATE_VERSION') {
    const { version } = message;
    if (typeof version !== 'number') return broken('is an ACTIVATE_VERSION without a version');
    return { kind: 'activate', stream, version };
  }
  const { format = 'jsonl', compression = 'none' } = (message['encoding'] ?? {}) as Record<string, string>;
  return { kind: 'batch', stream, format, compression, manifest: textsOf(message['manifest']) };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
