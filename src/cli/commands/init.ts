import { existsSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { PROJECT_FILES } from '../../config/load-project.ts';
import { renderProject } from '../../config/write-project.ts';
import { ConfigError } from '../../core/errors.ts';
import type { ConnectionConfig } from '../../core/project.ts';
import type { StreamInfo } from '../../core/source.ts';
import { formatCount } from '../../core/units.ts';
import { plural } from '../../observe/plural.ts';
import { renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { renderTypescript } from '../project-typescript.ts';
import { isWanted } from '../selection.ts';
import { connectionFromUrl, isPlainFolder, urlContext } from '../url-project.ts';

type Source = { url: string } | { variable: string };

const DEFAULT_LAKE = './lake';

/** `sluice init`: looks at the source, asks what to load and writes the project file. */
export const init: Command = async (invocation) => {
  const { flags, json, terminal } = invocation;
  const file = await targetFile(invocation);
  const source = await askSource(invocation);
  const lake =
    flags.text('to') ?? (await ask(invocation, 'where should the lake be? a folder', DEFAULT_LAKE));
  const { connection, title, streams } = await look(invocation, source);
  if (!json) terminal.note(`connected to ${title}: ${plural(streams.length, 'stream')}`);
  const chosen = await chooseStreams(invocation, streams);
  const place = typeof connection['path'] === 'string' ? pathFrom(file, connection['path']) : undefined;
  const written = renderProject({
    type: connection.type,
    source: place === undefined ? source : { path: place },
    lake,
    streams: chosen,
  });
  const text = flags.on('typescript') ? await renderTypescript(written.text) : written.text;
  await save(file, text, flags.on('force'));
  if (json)
    printJson(terminal, {
      file,
      pipeline: written.pipeline,
      variable: written.variable,
      streams: chosen.map(({ name }) => name),
    });
  else terminal.print(farewell(invocation, { file, source, streams: chosen.length, ...written }));
  return EXIT.ok;
};

async function targetFile({ flags, project }: Invocation): Promise<string> {
  const directory = resolve(project ?? '.');
  if (existsSync(directory) && !(await stat(directory)).isDirectory()) {
    throw new ConfigError(`--project: ${directory} is a file`, {
      code: 'cli.init',
      remedy: 'name the folder of the new project',
    });
  }
  const name = flags.on('typescript') ? 'sluice.config.ts' : 'sluice.yaml';
  const present = PROJECT_FILES.filter((known) => existsSync(join(directory, known)));
  const others = present.filter((known) => known !== name);
  if (others.length > 0) {
    throw new ConfigError(
      `${join(directory, others[0] ?? '')} is already there, and a folder holds one project`,
      {
        code: 'config.exists',
        remedy: 'remove it, or choose another folder with --project',
      },
    );
  }
  if (present.length > 0 && !flags.on('force')) {
    throw new ConfigError(`${join(directory, name)} is already there`, {
      code: 'config.exists',
      remedy: '--force replaces it',
    });
  }
  return join(directory, name);
}

async function save(file: string, text: string, replace: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    // Somebody may have written it while we asked.
    await writeFile(file, text, { flag: replace ? 'w' : 'wx' });
  } catch (error) {
    throw new ConfigError(`writing ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      code: 'cli.init',
      remedy: 'choose another folder with --project',
      cause: error,
    });
  }
}

async function askSource(invocation: Invocation): Promise<Source> {
  const { flags, terminal } = invocation;
  const given = flags.text('from');
  if (given === undefined && (!terminal.interactive || flags.on('yes'))) {
    throw new ConfigError('nobody is here to say where the data is', {
      code: 'cli.init',
      remedy: "--from names a URL, or an environment variable that holds it: --from '$SHOP_URL'",
    });
  }
  const text =
    given ??
    (await ask(
      invocation,
      'where is the data? a URL such as postgres://…, files such as ./landing/*.csv, or $NAME of an environment variable:',
      '',
    ));
  if (text === '') throw new ConfigError('a project needs a source', { code: 'cli.init' });
  const variable = /^(?:\$\{(\w+)\}|\$(\w+)|([A-Z][A-Z0-9_]*))$/.exec(text);
  return variable ? { variable: variable[1] ?? variable[2] ?? text } : { url: text };
}

/** Asks, unless nobody is there or nobody wants to be asked. */
async function ask({ flags, terminal }: Invocation, question: string, fallback: string): Promise<string> {
  return terminal.interactive && !flags.on('yes') ? terminal.ask(question, fallback) : fallback;
}

async function look(
  { services, signal }: Invocation,
  source: Source,
): Promise<{ connection: ConnectionConfig; title: string; streams: StreamInfo[] }> {
  const url = 'url' in source ? source.url : services.env[source.variable];
  if (url === undefined || url === '') {
    const name = 'variable' in source ? source.variable : '';
    throw new ConfigError(`environment variable ${name} is not set`, {
      code: 'cli.init',
      remedy: `export ${name}='postgres://user:PASSWORD@host:5432/database' and try again`,
    });
  }
  const connectors = await services.connectors();
  const meant = connectionFromUrl(connectors, url, 'source');
  const connection = isPlainFolder(meant) ? { type: 'files', path: meant['path'] } : meant;
  if (connection.type === 'lake') {
    throw new ConfigError(`"${url}" is the path of a lake, and \`init\` begins with a database or files`, {
      code: 'cli.init',
      remedy:
        "files are named with their ending: './landing/*.csv'; docs/connectors/lake.md shows a project that reads a lake",
    });
  }
  const context = urlContext(connectors, { connections: { source: connection } });
  const opened = await services.openSource(context, 'source');
  const read = connectors.get(connection.type)!;
  const streamOf = (place: string): ReturnType<NonNullable<typeof read.streamFromUrl>> =>
    read.streamFromUrl?.(place, connectors.get('lake')!.capabilities);
  try {
    const { title } = await opened.check(signal);
    const pattern = streamOf(url);
    const streams =
      pattern === undefined
        ? byName(await opened.discover(signal), (files) => streamOf(`./${files}`)?.name ?? files)
        : [filesStream(pattern.name, pattern.options.files)];
    return { connection, title, streams };
  } finally {
    await opened.close();
  }
}

function filesStream(name: string, files: unknown): StreamInfo {
  return {
    name,
    kind: 'files',
    schema: { fields: [], key: [] },
    estimatedRows: undefined,
    bytes: undefined,
    cursors: [],
    proposal: { load: 'append', files: String(files) },
    notes: [],
  };
}

/** Patterns of files get names of tables. */
function byName(streams: readonly StreamInfo[], named: (pattern: string) => string): StreamInfo[] {
  const taken = new Set<string>();
  return streams.map((stream) => {
    if (stream.proposal.files === undefined) return stream;
    const base = named(stream.proposal.files).replaceAll(/[^\p{L}\p{M}\p{N}_-]+/gu, '_');
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base}_${number}`;
    taken.add(name);
    return { ...stream, name };
  });
}

/** Paths in a project are relative to its file. */
function pathFrom(file: string, path: string): string {
  if (isAbsolute(path) || /^[a-z0-9+.-]+:/i.test(path)) return path;
  const from = relative(dirname(file), resolve(path)).replaceAll('\\', '/');
  return from.startsWith('.') ? from : `./${from}`;
}

async function chooseStreams(invocation: Invocation, streams: readonly StreamInfo[]): Promise<StreamInfo[]> {
  const { flags, terminal } = invocation;
  const wanted = flags.list('table');
  if (wanted.length > 0) return pick(streams, wanted);
  // Views show what tables hold already, foreign tables what other databases do: both only by name.
  const usual = streams.filter(({ kind }) => ['table', 'partitioned table', 'files'].includes(kind));
  if (streams.length === 0 || !terminal.interactive || flags.on('yes')) return usual;
  const rows = streams.map(({ name, kind, estimatedRows }, index) => [
    String(index + 1),
    name,
    estimatedRows === undefined ? '' : formatCount(estimatedRows),
    kind === 'table' ? '' : kind,
  ]);
  const columns = [
    { title: '#', align: 'right' as const },
    { title: 'stream' },
    { title: '~rows', align: 'right' as const },
    { title: '' },
  ];
  terminal.note(renderTable(columns, rows, { paintTitle: terminal.noteStyle.dim }));
  const answer = await terminal.ask(
    'which ones? numbers, names or wildcards, separated by commas',
    'all tables',
  );
  if (answer === 'all tables' || answer === 'all') return usual;
  const named = answer
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return pick(
    streams,
    named.map((part) => (/^\d+$/.test(part) ? (streams[Number(part) - 1]?.name ?? part) : part)),
  );
}

function pick(streams: readonly StreamInfo[], wanted: readonly string[]): StreamInfo[] {
  const missing = wanted.filter((pattern) => !streams.some(({ name }) => isWanted(name, [pattern])));
  if (missing.length > 0) {
    throw new ConfigError(`the source has no stream ${missing.map((name) => `"${name}"`).join(', ')}`, {
      code: 'cli.init',
      remedy: 'sluice discover lists what it has',
    });
  }
  return streams.filter(({ name }) => isWanted(name, wanted));
}

interface Farewell {
  readonly file: string;
  readonly source: Source;
  readonly streams: number;
  readonly variable: string | undefined;
  readonly pipeline: string;
}

function farewell({ terminal, project }: Invocation, done: Farewell): string {
  const { style } = terminal;
  const lines = [`${style.green('✓')} ${done.file}   ${done.pipeline}, ${plural(done.streams, 'stream')}`];
  if (done.variable !== undefined && 'url' in done.source) {
    lines.push(
      `  the URL holds a password, so the file refers to ${done.variable}: export ${done.variable}='…' before you go on`,
    );
  }
  const where = project === undefined ? '' : ` -C ${project}`;
  lines.push(`  next: sluice plan${where}, then sluice run${where}`);
  return lines.join('\n');
}
