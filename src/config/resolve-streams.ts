/**
 * The streams of one run. In: a pipeline that the loader has checked, the names that the source has, what the user asked
 * for. Out: complete stream configurations in the order of the file, and what is wrong with the names. Pure.
 */
import { FILE_COLUMN, type FilesConfig } from '../core/ledger.ts';
import type { ExportConfig } from '../core/export.ts';
import type { FilesOptions, PipelineConfig, StreamOptions } from '../core/project.ts';
import type { LoadStrategy, StreamConfig } from '../core/stream.ts';
import { mergeOptions } from './stream-options.ts';
import { isWildcard, matcher, tableName, wildcardWeight } from './stream-name.ts';
import { hint, nearest } from './suggest.ts';

export interface ResolvedStreams {
  streams: StreamConfig[];
  /** Also those that were not selected. */
  all: StreamConfig[];
  /** Names that the source has and that an entry with `false` leaves out. */
  leftOut: string[];
  /** One line each; with any of them the streams are not to be loaded. */
  mistakes: string[];
}

/**
 * `available` is what wildcards are expanded against: leave out partitions whose parent is loaded. `select` holds names
 * or wildcards of streams, or names of tables; empty means all streams.
 */
export function resolveStreams(
  pipeline: PipelineConfig,
  available: readonly { name: string }[],
  select: readonly string[],
): ResolvedStreams {
  const names = [...new Set(available.map(({ name }) => name))];
  const claims = claimNames(pipeline, names);
  const all = claims.flatMap(({ options, streams }) =>
    options === false
      ? []
      : streams.map((name) => ({
          ...streamConfig(name, mergeOptions(pipeline.defaults, options)),
          ...exportConfig(pipeline, options),
        })),
  );
  const leftOut = claims
    .flatMap(({ options, streams }) => (options === false ? streams : []))
    .filter((name) => names.includes(name));
  const chosen = choose(all, leftOut, select);
  const wanted = new Set(chosen.streams.map(({ name }) => name));
  const missing = claims
    .filter(
      ({ entry, options }) =>
        options === false || select.length === 0 || wanted.has(entry) || select.includes(entry),
    )
    .flatMap((claim) => missingMistake(claim, names, wanted));
  const absent = new Set(claims.filter((claim) => isMissing(claim, names)).map(({ entry }) => entry));
  const isThere = ({ name }: StreamConfig): boolean => !absent.has(name);
  const streams = chosen.streams.filter(isThere);
  // Not found in the source comes first: it often explains why a selection finds nothing.
  return {
    streams,
    all: all.filter(isThere),
    leftOut,
    mistakes: [...missing, ...chosen.mistakes, ...sharedTables(streams, all.filter(isThere))],
  };
}

/** An entry of the project and the streams that it decides about. */
interface Claim {
  entry: string;
  options: StreamOptions | false;
  streams: string[];
  /** How many names fit, also those that a closer entry decides about. */
  fits: number;
}

/** Who decides about a name: the entry with just that name, else the longest wildcard, of equals the first. */
function claimNames(pipeline: PipelineConfig, names: readonly string[]): Claim[] {
  const entries = Object.entries(pipeline.streams);
  const plain = new Set(entries.map(([entry]) => entry).filter((entry) => !isWildcard(entry)));
  const claims = entries.map(([entry, options]): Claim => ({
    entry,
    options,
    streams: plain.has(entry) ? [entry] : [],
    fits: 0,
  }));
  const wildcards = claims
    .filter(({ entry }) => isWildcard(entry))
    .map((claim) => ({ claim, matches: matcher(claim.entry), weight: wildcardWeight(claim.entry) }))
    .toSorted((a, b) => b.weight - a.weight);
  for (const name of names) {
    const fitting = wildcards.filter(({ matches }) => matches(name));
    for (const { claim } of fitting) claim.fits++;
    if (!plain.has(name)) fitting[0]?.claim.streams.push(name);
  }
  return claims;
}

function isMissing({ entry, options, fits }: Claim, names: readonly string[]): boolean {
  if (isWildcard(entry)) return fits === 0;
  const free = options !== false && (options.sql !== undefined || options.files !== undefined);
  return !free && !names.includes(entry);
}

function missingMistake(claim: Claim, names: readonly string[], wanted: ReadonlySet<string>): string[] {
  if (!isMissing(claim, names)) return [];
  const { entry, options } = claim;
  if (options === false) {
    // A table that is gone need not be left out any more. But a misspelt name would let a table through that was
    // meant to stay behind. Names that differ in digits only are more likely one of many (orders_2024, orders_2025).
    const meant = isWildcard(entry) ? undefined : nearest(entry, names);
    const numbered = meant?.replace(/\d+/g, '') === entry.replace(/\d+/g, '');
    if (meant === undefined || numbered || !wanted.has(meant)) return [];
    return [`stream "${entry}", which is to be left out, is not in the source; did you mean "${meant}"?`];
  }
  if (isWildcard(entry)) return [`"${entry}" fits no stream of the source${hint(entry, names, 'it has')}`];
  return [`stream "${entry}" is not in the source${hint(entry, names, 'it has')}`];
}

function choose(
  all: readonly StreamConfig[],
  leftOut: readonly string[],
  select: readonly string[],
): { streams: StreamConfig[]; mistakes: string[] } {
  if (select.length === 0) return { streams: [...all], mistakes: [] };
  const wanted = new Set<string>();
  const mistakes: string[] = [];
  for (const selected of select) {
    const named = all.filter(({ name }) => matcher(selected)(name));
    // For typing less: "orders" is as good as "public.orders" when only one stream goes there.
    const found = named.length > 0 ? named : all.filter(({ table }) => table === selected);
    for (const { name } of found) wanted.add(name);
    if (found.length > 0) continue;
    mistakes.push(
      leftOut.includes(selected)
        ? `stream "${selected}" is left out by the project ("${selected}: false", or a wildcard)`
        : `"${selected}" is no stream of this pipeline${hint(
            selected,
            all.map(({ name }) => name),
          )}`,
    );
  }
  return { streams: all.filter(({ name }) => wanted.has(name)), mistakes };
}

/** Two streams of one table would replace each other's rows, also when only one of them runs today. */
function sharedTables(chosen: readonly StreamConfig[], all: readonly StreamConfig[]): string[] {
  // Folders and views are the same in any case on some systems.
  const byTable = Map.groupBy(all, ({ table }) => table.toLowerCase());
  const running = new Set(chosen.map(({ table }) => table.toLowerCase()));
  const mistakes: string[] = [];
  for (const [table, streams] of byTable) {
    if (!running.has(table)) continue;
    const names = streams.map(({ name }) => `"${name}"`).join(' and ');
    const [{ table: written } = { table }] = streams;
    if (streams.length > 1)
      mistakes.push(`${names} would share the table "${written}"; give one of them another with "table"`);
    if (table.startsWith('_sluice'))
      mistakes.push(`${names}: table names that start with _sluice are taken; choose one with "table"`);
  }
  return mistakes;
}

function streamConfig(name: string, options: StreamOptions): StreamConfig {
  const { date, columns } = options;
  const cursor = list(options.cursor) ?? [];
  return {
    name,
    table: options.table ?? tableName(name),
    load: options.load ?? defaultLoad(cursor, options),
    sql: options.sql,
    files: filesConfig(options.files),
    cursor,
    cursorZone: options.cursor_timezone,
    key: list(options.key),
    lookback: options.lookback,
    firstRunSeconds: options.first_run,
    overlapSeconds: options.overlap,
    nullCursor: options.null_cursor ?? 'load',
    date:
      typeof date === 'string'
        ? { column: date }
        : date && { column: date.column, zone: date.timezone, ...(date.by && { by: date.by }) },
    partitionBy: options.partition_by,
    columns: Array.isArray(columns) ? { include: columns } : columns,
    rename: options.rename ?? {},
    types: options.types ?? {},
    where: options.where,
    sliceRows: options.slice_rows,
    sliceBy: list(options.slice_by),
    verify: options.verify,
    loadMethod: options.load_method === 'auto' ? undefined : options.load_method,
    loadColumns: options.load_columns,
    deletes: deletesConfig(options.deletes),
    maxBad: maxBad(options.max_bad),
    schema: schemaRules(options.schema),
    alerts: options.alerts,
    ...rulesOf(options),
  };
}

function rulesOf({ checks = {}, compute = {} }: StreamOptions): Pick<StreamConfig, 'rules'> {
  const any = Object.keys(checks).length + Object.keys(compute).length > 0;
  return any ? { rules: { checks, compute } } : {};
}

function defaultLoad(cursor: readonly string[], { date, files }: StreamOptions): LoadStrategy {
  if (cursor.length > 0 || files !== undefined) return 'append';
  return date === undefined ? 'replace' : 'delete-insert';
}

function filesConfig(options: StreamOptions['files']): FilesConfig | undefined {
  if (options === undefined) return undefined;
  const {
    null: nulls,
    file_column,
    changed,
    ...rest
  } = typeof options === 'string' ? ({ path: options } satisfies FilesOptions as FilesOptions) : options;
  return {
    ...rest,
    nulls: list(nulls),
    fileColumn: file_column ?? FILE_COLUMN,
    changed: changed ?? 'report',
  };
}

/** What the stream says goes over what its pipeline does. */
function exportConfig({ defaults, timezone }: PipelineConfig, own: StreamOptions): { export?: ExportConfig } {
  const [common, mine] = [defaults?.export, own.export].map((written) =>
    typeof written === 'string' ? { path: written } : written,
  );
  if (!common && !mine && timezone === undefined) return {};
  const { timezone: zone = timezone, ...rest } = { ...common, ...mine };
  return { export: { ...rest, ...(zone !== undefined && { zone }) } };
}

function maxBad(written: StreamOptions['max_bad']): StreamConfig['maxBad'] {
  if (typeof written === 'number') return { rows: written };
  return typeof written === 'string' ? { percent: Number.parseFloat(written) } : written;
}

function deletesConfig(written: StreamOptions['deletes']): StreamConfig['deletes'] {
  const { how = 'keep', at_most: most } = typeof written === 'string' ? { how: written } : (written ?? {});
  if (how === 'keep') return undefined;
  if (most === undefined) return { how };
  return { how, atMost: typeof most === 'number' ? { rows: most } : { percent: Number.parseFloat(most) } };
}

function schemaRules(written: StreamOptions['schema']): StreamConfig['schema'] {
  if (written === undefined) return undefined;
  const rules = typeof written === 'string' ? { policy: written, incompatible: undefined } : written;
  return { policy: rules.policy ?? 'evolve', incompatible: rules.incompatible ?? 'side' };
}

function list(names: string | string[] | undefined): string[] | undefined {
  return typeof names === 'string' ? [names] : names;
}
