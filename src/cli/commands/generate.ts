import { formatBytes, formatCount, formatSeconds } from '../../core/units.ts';
import type { ApiAuth, ApiOptions, Paging } from '../../generate/api/api-options.ts';
import { PAGINGS } from '../../generate/api/api-options.ts';
import { parseHostility } from '../../generate/api/hostility.ts';
import { readFileForm } from '../../generate/files/file-form.ts';
import type { GeneratedFile } from '../../generate/files/generate-files.ts';
import { plural } from '../../observe/plural.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Flags } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readFaults, readModelOptions, readWhole, usageError } from '../generate-options.ts';
import { printJson } from '../output.ts';
import { openProgressLine } from '../progress-line.ts';
import { readCount } from '../run-options.ts';

/** `sluice generate files|api`: made-up records. */
export const generate: Command = async (invocation) =>
  invocation.spec.name === 'generate api' ? serve(invocation) : makeFiles(invocation);

const COLUMNS: readonly Column[] = [
  { title: 'table' },
  { title: 'files', align: 'right' },
  { title: 'records', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'broken', align: 'right' },
  { title: 'last file' },
];

async function makeFiles(invocation: Invocation): Promise<number> {
  const { flags, services, terminal, json, signal } = invocation;
  const changeColumn = flags.text('change-column');
  if (changeColumn !== undefined && !flags.on('changes'))
    throw usageError('--change-column goes with --changes: a file with everything tells of no changes');
  const model = readModelOptions(flags);
  const options = {
    form: readFileForm(invocation.arguments[0]!),
    tables: flags.list('table'),
    days: readCount(flags, 'days'),
    content: flags.on('changes') ? ('changes' as const) : undefined,
    changeColumn,
    faults: readFaults(flags),
    manifest: flags.text('manifest'),
    force: flags.on('force'),
    signal,
  };
  const started = performance.now();
  const line = openProgressLine(terminal);
  const files = await services
    .generateFiles(model, {
      ...options,
      onProgress: ({ path, records, total }) =>
        line.show(`${path}   ${formatCount(records)} of ${plural(total, 'record')}`),
    })
    .finally(() => line.close());
  const seconds = (performance.now() - started) / 1000;
  if (json) {
    for (const file of files) printJson(terminal, { kind: 'generated-file', ...file });
    const { records, bytes, faults } = total(files);
    printJson(terminal, { kind: 'generated', files: files.length, records, bytes, faults, seconds });
    return EXIT.ok;
  }
  const tables = [...new Set(files.map(({ table }) => table))];
  const rows = tables.map((table) => {
    const own = files.filter((file) => file.table === table);
    const { records, bytes, broken } = total(own);
    return [
      table,
      formatCount(own.length),
      formatCount(records),
      formatBytes(bytes),
      broken > 0 ? formatCount(broken) : '',
      own.at(-1)!.path,
    ];
  });
  const { records, bytes } = total(files);
  terminal.print(renderTable(COLUMNS, rows, { paintTitle: terminal.style.dim }));
  terminal.print(
    `${terminal.style.green('✓')} ${plural(records, 'record')} in ${plural(files.length, 'file')}, ${formatBytes(bytes)}, in ${formatSeconds(seconds)}`,
  );
  return EXIT.ok;
}

interface Total {
  records: number;
  bytes: number;
  broken: number;
  faults: Record<string, number>;
}

function total(files: readonly GeneratedFile[]): Total {
  const sum: Total = { records: 0, bytes: 0, broken: 0, faults: {} };
  for (const file of files) {
    sum.records += file.records;
    sum.bytes += file.bytes;
    for (const [kind, count] of Object.entries(file.faults)) {
      sum.faults[kind] = (sum.faults[kind] ?? 0) + count;
      sum.broken += count;
    }
  }
  return sum;
}

async function serve(invocation: Invocation): Promise<number> {
  const { flags, services, terminal, json, signal } = invocation;
  const model = readModelOptions(flags);
  const api = await services.serveApi(model, readApiOptions(flags));
  try {
    if (json) printJson(terminal, { kind: 'api', url: api.url, port: api.port });
    else {
      terminal.print(`The API is at ${api.url}, until Ctrl-C. It says itself what it has:`);
      terminal.print(`  curl ${api.url}`);
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await api.close();
  }
  return EXIT.ok;
}

function readApiOptions(flags: Flags): ApiOptions {
  const paging = flags.text('paging');
  if (paging !== undefined && !PAGINGS.includes(paging as Paging))
    throw usageError(`--paging: "${paging}" is none of ${PAGINGS.join(', ')}`);
  const hostile: Record<string, string[]> = {};
  for (const text of flags.list('hostile')) {
    const [, records = '*', trouble = ''] = /^(?:([a-z_]+)=)?(.*)$/.exec(text) ?? [];
    parseHostility(trouble);
    (hostile[records] ??= []).push(trouble);
  }
  return {
    port: readWhole(flags, 'port'),
    paging: paging as Paging | undefined,
    pageSize: readCount(flags, 'page-size'),
    day: readWhole(flags, 'day'),
    auth: readAuth(flags),
    faults: readFaults(flags),
    hostile,
  };
}

function readAuth(flags: Flags): ApiAuth | undefined {
  const pair = (name: string): [string, string] | undefined => {
    const text = flags.text(name);
    if (text === undefined) return undefined;
    const colon = text.indexOf(':');
    if (colon < 1) throw usageError(`--${name}: a name and a secret with a colon between them`);
    return [text.slice(0, colon), text.slice(colon + 1)];
  };
  const [token, key] = [flags.text('bearer'), flags.text('api-key')];
  const [basic, oauth] = [pair('basic'), pair('oauth')];
  const ways: ApiAuth[] = [];
  if (token !== undefined) ways.push({ kind: 'bearer', token });
  if (key !== undefined) ways.push({ kind: 'api-key', key });
  if (basic) ways.push({ kind: 'basic', user: basic[0], password: basic[1] });
  if (oauth) ways.push({ kind: 'oauth2', client: oauth[0], secret: oauth[1] });
  if (ways.length > 1) throw usageError('--bearer, --basic, --api-key and --oauth exclude each other');
  return ways[0];
}
