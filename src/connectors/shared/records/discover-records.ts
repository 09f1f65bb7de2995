/** What streams a feed has, and what their first records look like. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { asSluiceError } from '../../../core/errors.ts';
import type { StreamInfo } from '../../../core/source.ts';
import type { StreamConfig } from '../../../core/stream.ts';
import { type LogicalType, renderType } from '../../../core/types.ts';
import { arraysIn } from './arrays-in.ts';
import { childDocuments } from './child-documents.ts';
import { childColumns, childName, childShape, type ChildStream } from './child-stream.ts';
import type { Fetched, FeedStream, RecordFeed } from './feed.ts';
import { type Fetching, lookThrough, surveyOf } from './records-survey.ts';
import { Spool } from './spool.ts';
import { Tally } from './tally.ts';

/** Names that say when a record changed, before those that say when it was made. */
const CHANGED =
  /^(updated|modified|changed|last_?(updated|modified|changed))(_?(at|on|date|time|timestamp))?$/i;
const MADE = /^(created|inserted)(_?(at|on|date|time|timestamp))?$/i;

export async function discoverRecords(feed: RecordFeed, signal: AbortSignal): Promise<StreamInfo[]> {
  const streams: StreamInfo[] = [];
  for (const stream of await feed.streams(signal)) streams.push(...(await look(feed, stream, signal)));
  return streams;
}

/** A stream, and those of arrays within its records. One that cannot be looked at does not hide the others. */
async function look(feed: RecordFeed, stream: FeedStream, signal: AbortSignal): Promise<StreamInfo[]> {
  const spool = new Spool(path.join(tmpdir(), 'sluice-spool'));
  const { name, key, notes = [] } = stream;
  const nothing: StreamInfo = {
    name,
    kind: 'endpoint',
    schema: { fields: [], key: [...key] },
    estimatedRows: undefined,
    bytes: undefined,
    cursors: [],
    proposal: stream.proposal ?? { load: 'replace' },
    notes,
  };
  if (stream.fields)
    return [{ ...nothing, ...known(stream, stream.fields) }, ...knownArrays(stream, stream.fields)];
  try {
    const config = plainStream(name);
    const request = {
      stream: config,
      checkpoint: undefined,
      window: {},
      preview: true,
      spool,
      early: () => undefined,
      tally: new Tally(undefined),
      signal,
    };
    const fetched = await feed.fetch(request);
    spool.end();
    const documents = spool.takeAll();
    const found = await columnsOf({ spool, documents, round: '', shape: fetched, fetched }, config, signal);
    const said = fetched.notes.map(({ message }) => message);
    const own = {
      ...nothing,
      ...found,
      schema: { ...found.schema, key: [...key] },
      notes: [...notes, ...said],
    };
    const arrays = await arraysWithin({ spool, documents, fetched }, { name, key }, signal);
    return [own, ...arrays];
  } catch (error) {
    return [{ ...nothing, notes: [...notes, asSluiceError(error, `looking at ${name}`).message] }];
  } finally {
    await spool.close();
  }
}

/** What records look like. */
async function columnsOf(
  fetching: Fetching,
  stream: StreamConfig,
  signal: AbortSignal,
): Promise<Pick<StreamInfo, 'schema' | 'cursors'>> {
  const looked = await lookThrough(fetching, {
    key: undefined,
    partBytes: Infinity,
    whole: true,
    signal,
  });
  const { key } = fetching.shape;
  const options = { before: undefined, partBytes: Infinity, form: undefined, apart: true };
  const { schema } = surveyOf(looked, { ...options, stream: { ...stream, key: [] } });
  const fields = schema.fields.map((field) => ({ ...field, nullable: !key.includes(field.name) }));
  const cursors = fields
    .flatMap(({ name: column, type }) => {
      const reason = CHANGED.test(column)
        ? 'says when a record changed'
        : MADE.test(column)
          ? 'says when it was made'
          : undefined;
      const timed = type.kind === 'timestamp' || type.kind === 'date';
      return reason !== undefined && timed ? [{ column, type: renderType(type), indexed: true, reason }] : [];
    })
    .toSorted((a, b) => Number(CHANGED.test(b.column)) - Number(CHANGED.test(a.column)));
  return { schema: { fields, key: [...key] }, cursors };
}

/** Streams of objects in arrays, as far as these records have some. */
async function arraysWithin(
  { spool, documents, fetched }: Pick<Fetching, 'spool' | 'documents'> & { fetched: Fetched },
  { name: parent, key }: Pick<FeedStream, 'name' | 'key'>,
  signal: AbortSignal,
): Promise<StreamInfo[]> {
  if (fetched.config?.format === 'csv') return [];
  const streams: StreamInfo[] = [];
  for (const way of await arraysIn(spool, documents, signal)) {
    const child = { parent, path: way };
    const config = plainStream(childName(child));
    const own = new Spool(path.join(tmpdir(), 'sluice-spool'));
    try {
      const columns = childColumns(child, config, key);
      const elements = { ...columns, path: way, flatten: fetched.config?.flatten ?? 0 };
      const made = await childDocuments(spool, documents, { spool: own, elements, groups: false, signal });
      const shape = childShape(child, config, { ...fetched, key });
      const fetching = { spool: own, documents: made.documents, round: '', shape, fetched };
      const found = await columnsOf(fetching, config, signal);
      streams.push(arrayStream(child, found.schema, key));
    } finally {
      await own.close();
    }
  }
  return streams;
}

function arrayStream(child: ChildStream, schema: StreamInfo['schema'], key: readonly string[]): StreamInfo {
  return {
    name: childName(child),
    kind: 'array',
    parent: child.parent,
    schema,
    estimatedRows: undefined,
    bytes: undefined,
    cursors: [],
    proposal: { load: key.length > 0 ? 'merge' : 'replace' },
    notes: [],
  };
}

function knownArrays(
  { name, key, arrays = [] }: FeedStream,
  of: NonNullable<FeedStream['fields']>,
): StreamInfo[] {
  return arrays.map(({ path: way, fields }) => {
    const child = { parent: name, path: way };
    const { carried, indexes } = childColumns(child, plainStream(childName(child)), key);
    const given = carried.flatMap(({ field, column }) => {
      const found = of.find((each) => each.name === field);
      return found ? [{ ...found, name: column, nullable: false }] : [];
    });
    const places = indexes.map((column) => ({ name: column, type: INDEX, nullable: false }));
    const own = fields.map((field) => ({ ...field, nullable: true }));
    const all = key.length > 0 ? [...given, ...places].map((field) => field.name) : [];
    return arrayStream(child, { fields: [...given, ...places, ...own], key: all }, key);
  });
}

const INDEX: LogicalType = { kind: 'int64' };

/** Who knows the columns need not be asked for records. */
function known(
  { key, cursors = [] }: FeedStream,
  fields: NonNullable<FeedStream['fields']>,
): Pick<StreamInfo, 'schema' | 'cursors'> {
  const found = cursors.flatMap((column) => fields.find(({ name }) => name === column) ?? []);
  return {
    schema: {
      fields: fields.map((field) => ({ ...field, nullable: !key.includes(field.name) })),
      key: [...key],
    },
    cursors: found.map(({ name, type }) => ({
      column: name,
      type: renderType(type),
      indexed: true,
      reason: 'the source can be asked by it',
    })),
  };
}

function plainStream(name: string): StreamConfig {
  return { name, table: name, load: 'replace', cursor: [], nullCursor: 'load', rename: {}, types: {} };
}
