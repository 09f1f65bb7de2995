/** What streams a feed has, and what their first records look like. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { asSluiceError } from '../../../core/errors.ts';
import type { StreamInfo } from '../../../core/source.ts';
import type { StreamConfig } from '../../../core/stream.ts';
import { renderType } from '../../../core/types.ts';
import type { FeedStream, RecordFeed } from './feed.ts';
import { lookThrough, surveyOf } from './records-survey.ts';
import { Spool } from './spool.ts';
import { Tally } from './tally.ts';

/** Names that say when a record changed, before those that say when it was made. */
const CHANGED =
  /^(updated|modified|changed|last_?(updated|modified|changed))(_?(at|on|date|time|timestamp))?$/i;
const MADE = /^(created|inserted)(_?(at|on|date|time|timestamp))?$/i;

export async function discoverRecords(feed: RecordFeed, signal: AbortSignal): Promise<StreamInfo[]> {
  const streams: StreamInfo[] = [];
  for (const stream of await feed.streams(signal)) streams.push(await look(feed, stream, signal));
  return streams;
}

/** One that cannot be looked at does not hide the others. */
async function look(feed: RecordFeed, stream: FeedStream, signal: AbortSignal): Promise<StreamInfo> {
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
  if (stream.fields) return { ...nothing, ...known(stream, stream.fields) };
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
    const { documents } = await spool.take(() => 0);
    const looked = await lookThrough(
      { spool, documents, round: '', shape: fetched, fetched },
      { key: undefined, partBytes: Infinity, whole: true, signal },
    );
    const { schema } = surveyOf(looked, {
      stream: { ...config, key: [] },
      before: undefined,
      partBytes: Infinity,
      form: undefined,
      apart: true,
    });
    const fields = schema.fields.map((field) => ({ ...field, nullable: !key.includes(field.name) }));
    const cursors = fields
      .flatMap(({ name: column, type }) => {
        const reason = CHANGED.test(column)
          ? 'says when a record changed'
          : MADE.test(column)
            ? 'says when it was made'
            : undefined;
        const timed = type.kind === 'timestamp' || type.kind === 'date';
        return reason !== undefined && timed
          ? [{ column, type: renderType(type), indexed: true, reason }]
          : [];
      })
      .toSorted((a, b) => Number(CHANGED.test(b.column)) - Number(CHANGED.test(a.column)));
    return {
      ...nothing,
      schema: { fields, key: [...key] },
      cursors,
      notes: [...notes, ...fetched.notes.map(({ message }) => message)],
    };
  } catch (error) {
    return { ...nothing, notes: [...notes, asSluiceError(error, `looking at ${name}`).message] };
  } finally {
    await spool.close();
  }
}

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
