/** What requests of an endpoint look like. Pure. */
import { ConfigError } from '../../core/errors.ts';
import type { Checkpoint, RunWindow, StreamConfig } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { backBy, parseCursor } from '../shared/cursor-value.ts';
import type { HttpRequest } from '../shared/http/http-client.ts';
import { textOf } from '../shared/records/exact-json.ts';
import type { EndpointOptions, RestOptions, SinceOptions } from './options.ts';
import type { PageRequest } from './paging.ts';

/** Parameters that ask for what has changed. */
export interface Asked {
  params: Record<string, string>;
  in: 'query' | 'body';
  /** For people. */
  text: string | undefined;
}

const ALL: Asked = { params: {}, in: 'query', text: undefined };
const INSTANT: LogicalType = { kind: 'timestamp', zone: true };
const REFERENCE = /\{(\w+)\.([^}]+)\}/g;

/** `partners.id` for each `{partners.id}` of the path. */
export function referencesOf({ path }: EndpointOptions): { endpoint: string; field: string }[] {
  return [...path.matchAll(REFERENCE)].map(([, endpoint, field]) => ({ endpoint: endpoint!, field: field! }));
}

/** Name of the column for a field of a parent. */
export function parentColumn({ endpoint, field }: { endpoint: string; field: string }): string {
  return `${endpoint}_${field.replaceAll('.', '_')}`;
}

/** `values`: of parents, by {@link parentColumn}. */
export function requestOf(
  { url, headers, params }: RestOptions,
  endpoint: EndpointOptions,
  { page, asked, values }: { page: PageRequest; asked: Asked; values: Readonly<Record<string, unknown>> },
): HttpRequest {
  const method = endpoint.method ?? 'GET';
  const filled = endpoint.path.replace(REFERENCE, (_, parent: string, field: string) =>
    encodeURIComponent(textOf(values[parentColumn({ endpoint: parent, field })])!),
  );
  const target =
    page.url === undefined
      ? new URL(`${url.replace(/\/+$/, '')}/${filled.replace(/^\/+/, '')}`)
      : new URL(page.url);
  const inQuery = { ...(asked.in === 'query' && asked.params), ...(page.in === 'query' && page.params) };
  const inBody = { ...(asked.in === 'body' && asked.params), ...(page.in === 'body' && page.params) };
  // What the server has written into an address is complete.
  const given = page.url === undefined ? { ...params, ...endpoint.params, ...inQuery } : {};
  for (const [name, value] of Object.entries(given)) target.searchParams.set(name, String(value));
  const hasBody = method === 'POST';
  return {
    method,
    url: target,
    headers: {
      accept: endpoint.format === 'csv' ? 'text/csv' : 'application/json',
      'user-agent': 'sluice',
      ...lowered(headers),
      ...lowered(endpoint.headers),
      ...(hasBody && { 'content-type': 'application/json' }),
    },
    ...(hasBody && { body: JSON.stringify({ ...endpoint.body, ...inBody }) }),
  };
}

function lowered(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What the watermark, the window of the user's, or the first run asks for. `now`: ISO 8601. */
export function askedFor(
  endpoint: EndpointOptions,
  {
    stream,
    checkpoint,
    window,
    now,
  }: { stream: StreamConfig; checkpoint: Checkpoint | undefined; window: RunWindow; now: string },
): Asked {
  const since: SinceOptions | undefined =
    typeof endpoint.since === 'string' ? { param: endpoint.since } : endpoint.since;
  const own = window.from !== undefined || window.to !== undefined;
  if (stream.cursor.length === 0 || !since) {
    if (own) throw noWindow(stream.name, 'its endpoint has no `since`, or the stream no `cursor`');
    return ALL;
  }
  const { param, format = 'iso', until } = since;
  if (window.to !== undefined && until === undefined)
    throw noWindow(stream.name, 'its endpoint has no `since.until`');
  const from = own ? window.from : fromOf(stream, checkpoint, format, now);
  const params = {
    ...(from !== undefined && { [param]: written(from, format) }),
    ...(window.to !== undefined && { [until!]: written(window.to, format) }),
  };
  const text = [
    from !== undefined && `${stream.cursor[0]} ≥ ${from}`,
    window.to !== undefined && `< ${window.to}`,
  ];
  return { params, in: since.in ?? 'query', text: text.filter(Boolean).join(' and ') || undefined };
}

function fromOf(
  { overlapSeconds = 0, firstRunSeconds }: StreamConfig,
  checkpoint: Checkpoint | undefined,
  format: NonNullable<SinceOptions['format']>,
  now: string,
): string | undefined {
  const watermark = checkpoint?.watermark;
  if (watermark === undefined)
    return firstRunSeconds === undefined ? undefined : backBy(now, firstRunSeconds, INSTANT);
  if (!/^-?\d+$/.test(watermark))
    return overlapSeconds > 0 ? backBy(watermark, overlapSeconds, INSTANT) : watermark;
  const unit = format === 'unix' ? 1 : format === 'unix_ms' ? 1000 : 0;
  return String(BigInt(watermark) - BigInt(Math.ceil(overlapSeconds * unit)));
}

/** A cursor's text as the API reads it. */
function written(text: string, format: NonNullable<SinceOptions['format']>): string {
  if (format === 'number' || /^-?\d+$/.test(text)) return text;
  const micros = parseCursor(text, INSTANT);
  if (format === 'unix') return String(micros / 1_000_000n);
  if (format === 'unix_ms') return String(micros / 1000n);
  const iso = new Date(Number(micros / 1000n)).toISOString();
  if (format === 'date') return iso.slice(0, 10);
  return `${iso.slice(0, -1)}${String(micros % 1000n).padStart(3, '0')}Z`;
}

function noWindow(stream: string, why: string): ConfigError {
  return new ConfigError(`choosing records of ${stream} by time: ${why}`, {
    code: 'stream.invalid',
    remedy: 'run without --from, --to and --date, or say how the API is asked for a time with `since`',
  });
}
