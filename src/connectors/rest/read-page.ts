/** One page: asked for, its records into the spool, and what it says besides. */
import { crc32 } from 'node:zlib';
import { ConfigError, DataError, TransientError } from '../../core/errors.ts';
import {
  type AnswerHeaders,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  shown,
} from '../shared/http/http-client.ts';
import { RecordSplitter, type SplitBody } from '../shared/records/record-splitter.ts';
import type { Spool, SpoolWriter } from '../shared/records/spool.ts';
import type { Tally } from '../shared/records/tally.ts';
import type { EndpointOptions } from './options.ts';
import { valueAt } from './paging.ts';

export interface ReadPage {
  writer: SpoolWriter;
  records: number;
  around: unknown;
  headers: AnswerHeaders;
  /** After redirects. */
  url: URL;
  /** Alike for pages with the same records. */
  digest: string;
  /** There is no such page. */
  missing: boolean;
}

export interface PageJob {
  client: HttpClient;
  spool: Spool;
  endpoint: EndpointOptions;
  tally: Tally | undefined;
  /** Members that each record gets. */
  prefix: string | undefined;
  /** A page that does not exist is the end. */
  mayMiss: boolean;
  signal: AbortSignal;
}

const LF = 10;
/** No content, or no such page: there are no records, and no body that would say so. */
const NOTHING: ReadonlySet<number> = new Set([204, 404]);

export function readPage(request: HttpRequest, job: PageJob): Promise<ReadPage> {
  const { client, spool, tally, endpoint, prefix, mayMiss, signal } = job;
  const take = async ({ status, headers, url, body: all }: HttpResponse): Promise<ReadPage> => {
    const writer = spool.begin();
    if (NOTHING.has(status))
      return { writer, records: 0, around: undefined, headers, url, digest: '', missing: status === 404 };
    try {
      refuseOther(request, headers);
      let sum = 0;
      const out = (bytes: Uint8Array): void => {
        sum = crc32(bytes, sum);
        writer.write(bytes);
      };
      const body = counted(all, tally);
      const found = await (endpoint.format === 'csv'
        ? copy(body, out, writer)
        : split(request, { body, out, writer }, { endpoint, prefix }));
      return { writer, ...found, headers, url, digest: `${sum} ${writer.bytes}`, missing: false };
    } catch (error) {
      await writer.discard();
      throw error;
    }
  };
  return client.send(request, take, { signal, accepts: mayMiss ? [404] : [] });
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  tally: Tally | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    tally?.add({ bytes: piece.length });
    yield piece;
  }
}

interface Streams {
  body: AsyncIterable<Uint8Array>;
  out: (bytes: Uint8Array) => void;
  writer: SpoolWriter;
}

async function split(
  request: HttpRequest,
  { body, out, writer }: Streams,
  { endpoint: { records: path }, prefix }: { endpoint: EndpointOptions; prefix: string | undefined },
): Promise<Pick<SplitBody, 'records' | 'around'>> {
  const splitter = new RecordSplitter(path?.split('.'), out, prefix);
  let found: SplitBody;
  try {
    for await (const piece of body) {
      splitter.feed(piece);
      if (writer.full) await writer.flush();
    }
    found = splitter.end();
  } catch (error) {
    if (!(error instanceof DataError) || error.code !== 'records.body') throw error;
    // A server that was stopped in the middle of it may do better the next time.
    throw new TransientError(`asking ${shown(request)}: ${error.message}`, {
      code: 'rest.body',
      remedy: error.remedy,
      cause: error,
    });
  }
  const { records, around, absent } = found;
  if (absent && valueAt(around, path!) !== null) throw nowhere(request, path!, around);
  return { records, around };
}

/** Records of CSV are counted by their lines, which is enough to know whether there are any beside the header. */
async function copy(
  body: AsyncIterable<Uint8Array>,
  out: (bytes: Uint8Array) => void,
  writer: SpoolWriter,
): Promise<{ records: number; around: unknown }> {
  let lines = 0;
  let last = LF;
  for await (const piece of body) {
    for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, at + 1)) lines++;
    last = piece.at(-1) ?? last;
    out(piece);
    if (writer.full) await writer.flush();
  }
  return { records: Math.max(0, lines + (last === LF ? 0 : 1) - 1), around: undefined };
}

function refuseOther(request: HttpRequest, headers: AnswerHeaders): void {
  const type = headers.get('content-type') ?? '';
  if (!/^text\/html\b/i.test(type)) return;
  throw new ConfigError(`asking ${shown(request)}: it answered with a page for people (${type})`, {
    code: 'rest.html',
    remedy: 'is the url that of the API, and do we have to log in?',
  });
}

function nowhere(request: HttpRequest, path: string, around: unknown): ConfigError {
  const names = typeof around === 'object' && around !== null ? Object.keys(around).slice(0, 20) : [];
  const found = valueAt(around, path);
  const members =
    names.length > 0 ? `its members are ${names.map((name) => `"${name}"`).join(', ')}` : 'it is no object';
  const has =
    found === undefined
      ? members
      : `what is there is ${typeof found === 'object' ? 'an object' : `a ${typeof found}`}`;
  return new ConfigError(`asking ${shown(request)}: there is no array at "${path}" of the body; ${has}`, {
    code: 'rest.no_records',
    remedy: 'correct `records` of the endpoint; `sluice discover` shows what its bodies look like',
  });
}
