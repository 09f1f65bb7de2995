/** The first `sluice.yaml` of a project, for `sluice init`. Secrets are never in it. */
import { basename } from 'node:path';
import type { StreamInfo } from '../core/source.ts';
import { formatBytes, formatCount } from '../core/units.ts';
import { escapePlaceholders } from './environment.ts';
import { tableName } from './stream-name.ts';

export interface NewProject {
  /** Connector of the source, as in `type:`; also begins its URLs. */
  type: string;
  /** Where the source is: its URL, the name of an environment variable that holds the URL, or a path relative to the project. */
  source: { url: string } | { variable: string } | { path: string };
  /** Folder of the lake. */
  lake: string;
  /** What the source has; each becomes a stream with the options that the source proposes. */
  streams: readonly StreamInfo[];
}

export interface WrittenProject {
  text: string;
  /** Environment variable that has to hold the source's URL, if the file does not. */
  variable: string | undefined;
  /** Names given to the parts, for what is printed next. */
  connections: { source: string; lake: string };
  pipeline: string;
}

export function renderProject({ type, source, lake, streams }: NewProject): WrittenProject {
  const database = databaseName(source);
  const name = database === 'lake' ? 'source' : database;
  const variable = variableOf(source, name);
  const place =
    'path' in source
      ? `path: ${scalar(escapePlaceholders(source.path))}`
      : `url: ${'url' in source && variable === undefined ? quoted(source.url) : `"\${${variable}}"`}`;
  const pipeline = `${name}_to_lake`;
  const lines = [
    '# yaml-language-server: $schema=node_modules/sluice/schema.json',
    '',
    'connections:',
    ...(variable === undefined ? [] : variableHelp(variable, type, source)),
    `  ${name}: { type: ${type}, ${place} }`,
    `  lake: { type: lake, path: ${scalar(escapePlaceholders(lake))} }`,
    '',
    'pipelines:',
    `  ${pipeline}:`,
    `    from: ${name}`,
    '    to: lake',
    '    # schedule: "0 1 * * *"        # every day at 01:00 UTC',
    ...streamLines(streams),
  ];
  return { text: `${lines.join('\n')}\n`, variable, connections: { source: name, lake: 'lake' }, pipeline };
}

function variableOf(source: NewProject['source'], name: string): string | undefined {
  if ('variable' in source) return source.variable;
  return 'url' in source && hasSecret(source.url) ? `${name.toUpperCase()}_URL` : undefined;
}

function variableHelp(variable: string, type: string, source: NewProject['source']): string[] {
  // Shown without what is secret: it was on the user's screen once, it need not be in a file.
  const example = 'url' in source ? exampleUrl(source.url) : `${type}://user:PASSWORD@host/database`;
  return [
    `  # The URL holds a password, so it stays out of this file. Before running sluice:`,
    `  #   export ${variable}='${example}'`,
  ];
}

function streamLines(streams: readonly StreamInfo[]): string[] {
  if (streams.length === 0) {
    return [
      '    # "sluice discover" lists what there is; "*" is all of it.',
      '    streams:',
      '      "*": {}',
    ];
  }
  const names = new Set(streams.map(({ name }) => name));
  // A partition is read through its parent.
  const own = streams.filter(({ parent }) => parent === undefined || !names.has(parent));
  const taken = new Set<string>();
  return [
    ...(own.every(({ proposal }) => proposal.files !== undefined) ? ABOUT_FILES : ABOUT_TABLES),
    '    streams:',
    ...own.flatMap((stream) => [
      ...remarks(stream),
      `      ${scalar(stream.name)}: ${options(stream, taken)}`,
    ]),
  ];
}

const ABOUT_TABLES = [
  '    # Proposals from the catalog. A cursor is a column that grows whenever a row changes; "load: merge" keeps one row',
  '    # for each key, "append" all versions, "replace" reads the table in full each time. "false" leaves a stream out.',
];
const ABOUT_FILES = [
  '    # Each file is loaded once. "sluice plan" shows how they are read, and the columns and types that are found;',
  '    # a date in their names becomes the column snapshot_date. "types: { code: text }" pins a type.',
];

function remarks({ kind, estimatedRows, bytes, notes }: StreamInfo): string[] {
  const facts = [
    kind === 'table' ? undefined : kind,
    estimatedRows === undefined ? undefined : `about ${formatCount(estimatedRows)} rows`,
    bytes === undefined ? undefined : formatBytes(bytes),
  ].filter((fact) => fact !== undefined);
  return [...(facts.length > 0 ? [facts.join(', ')] : []), ...notes].map(
    (note) => `      # ${note.replace(/\s+/g, ' ')}`,
  );
}

/** `taken` are tables of the streams above; a second one of the same name gets another. */
function options({ name, proposal }: StreamInfo, taken: Set<string>): string {
  const { load, cursor = [], partition_by: partition, files } = proposal;
  let table = tableName(name);
  for (let number = 2; taken.has(table.toLowerCase()); number++) table = `${tableName(name)}_${number}`;
  taken.add(table.toLowerCase());
  const columns = cursor.map(scalar);
  const entries = [
    files === undefined ? `load: ${scalar(load)}` : `files: ${scalar(escapePlaceholders(files))}`,
    cursor.length === 0
      ? undefined
      : `cursor: ${columns.length === 1 ? columns[0] : `[${columns.join(', ')}]`}`,
    partition && `partition_by: { column: ${scalar(partition.column)}, by: ${scalar(partition.by)} }`,
    table === tableName(name) ? undefined : `table: ${scalar(table)}`,
  ];
  return `{ ${entries.filter((entry) => entry !== undefined).join(', ')} }`;
}

/** Text as YAML: bare where that can mean nothing else, else in double quotes, which is JSON. */
function scalar(text: string): string {
  const bare =
    /^(?:[A-Za-z_]|\.{0,2}\/)[\w./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return bare ? text : JSON.stringify(text);
}

function quoted(url: string): string {
  return JSON.stringify(escapePlaceholders(url));
}

/** Whatever cannot be read is taken for secret. */
function hasSecret(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { password, searchParams } = new URL(url);
  return password !== '' || [...searchParams.keys()].some((key) => /pass|secret|token|key/i.test(key));
}

function databaseName(source: NewProject['source']): string {
  if ('path' in source) return identifier(basename(source.path).replace(/\..*$/, ''));
  const written =
    'variable' in source ? source.variable.replace(/_?(?:URL|DSN|URI)$/i, '') : databaseOf(source.url);
  return identifier(written);
}

function identifier(written: string): string {
  const name = written
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_')
    .replace(/^[\d_]+|_+$/g, '');
  return name === '' ? 'source' : name;
}

function databaseOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname.slice(1));
  } catch {
    return '';
  }
}

function exampleUrl(url: string): string {
  if (!URL.canParse(url)) return 'postgres://user:PASSWORD@host:5432/database';
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username === '' ? 'user' : username}:PASSWORD@${host}${pathname}`.replaceAll(
    "'",
    '%27',
  );
}
