/** Checks and computed columns of every kind of source that needs no server, into every such destination. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { type ConnectionConfig, openCatalog, quarantine, run, type StreamReport } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'sluice-checks-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const ROWS = 5000;
const isBad = (id: number): boolean => id % 50 === 3;
const all = Array.from({ length: ROWS }, (_, i) => i + 1);
const good = all.filter((id) => !isBad(id));
const RULES: StreamOptions = {
  checks: { not_three: "name not like '%three%'", later: 'twice > 0' },
  compute: { twice: 'id * 2', name: 'upper(name)' },
  max_bad: '5 %',
};
const nameOf = (id: number): string => (isBad(id) ? `number three, ${id}` : `a "name" of ${id}`);
// The check sees the name that was computed, which has no small letters: written with capitals it is met by none of these.
const CHECKED: StreamOptions = {
  ...RULES,
  checks: { ...RULES.checks, not_three: "name not like '%THREE%'" },
};

interface Given {
  connection: ConnectionConfig;
  stream: string;
  options: StreamOptions;
  /** The text in quarantine of the record 53. */
  raw: string;
}

const sources: Record<string, (folder: string) => Promise<Given>> = {
  'lines of JSON': async (folder) => {
    const line = (id: number): string => JSON.stringify({ id, name: nameOf(id) });
    writeFileSync(path.join(folder, 'a.jsonl'), `${all.map(line).join('\n')}\n`);
    return files(folder, '*.jsonl', line(53));
  },
  CSV: async (folder) => {
    const line = (id: number): string => `${id},"${nameOf(id).replaceAll('"', '""')}"`;
    writeFileSync(path.join(folder, 'a.csv'), `id,name\n${all.map(line).join('\n')}\n`);
    return files(folder, '*.csv', line(53));
  },
  Parquet: async (folder) => {
    await askDuckdb(':memory:', `COPY (${select()}) TO '${folder}/a.parquet' (FORMAT parquet)`);
    return files(folder, '*.parquet', JSON.stringify({ id: 53, name: nameOf(53) }));
  },
  'a DuckDB file': async (folder) => {
    const file = path.join(folder, 'source.duckdb');
    await askDuckdb(file, `CREATE TABLE t AS ${select()}`);
    const raw = JSON.stringify({ id: 53, name: nameOf(53) });
    return { connection: { type: 'duckdb', path: file }, stream: 't', options: { load: 'replace' }, raw };
  },
  'a dump': async (folder) => {
    const file = path.join(folder, 'source.sql');
    const rows = all.map((id) => `${id}\t${nameOf(id)}`);
    const head =
      'CREATE TABLE public.t (\n    id bigint NOT NULL,\n    name text\n);\n\nCOPY public.t (id, name) FROM stdin;\n';
    writeFileSync(
      file,
      `--\n-- PostgreSQL database dump\n--\n\n${head}${rows.join('\n')}\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n`,
    );
    return {
      connection: { type: 'dump', path: file },
      stream: 'public.t',
      options: { load: 'replace', table: 't' },
      raw: rows[52]!,
    };
  },
};

function select(): string {
  return `SELECT i::BIGINT AS id, CASE WHEN i % 50 = 3 THEN 'number three, ' || i ELSE 'a "name" of ' || i END AS name FROM range(1, ${ROWS + 1}) r(i) ORDER BY i`;
}

function files(folder: string, pattern: string, raw: string): Given {
  const options: StreamOptions = { load: 'append', files: { path: pattern, file_column: false } };
  return { connection: { type: 'files', path: folder }, stream: 't', options, raw };
}

type Read = () => Promise<string[]>;
const LINE = `concat_ws('|', id, name, twice)`;
const targets: Record<
  string,
  (folder: string) => { connection: ConnectionConfig; read: Read; options?: StreamOptions }
> = {
  'a lake': (folder) => ({
    connection: { type: 'lake', path: folder },
    read: async () => {
      const catalog = await openCatalog(folder);
      const rows = (await Array.fromAsync((await catalog.select(`SELECT ${LINE} FROM t`)).batches)).flat();
      await catalog.close();
      return rows.map(([line]) => line as string);
    },
  }),
  'a DuckDB file': (folder) => ({
    connection: { type: 'duckdb', path: path.join(folder, 'w.duckdb') },
    read: async () =>
      (await askDuckdb(path.join(folder, 'w.duckdb'), `SELECT ${LINE} AS line FROM t`)).map(
        (row) => row['line'] as string,
      ),
  }),
  'a file of CSV': (folder) => ({
    connection: { type: 'files', path: folder },
    options: { load: 'replace', export: '{table}.csv' },
    read: async () => {
      const lines = readFileSync(
        path.join(
          folder,
          readdirSync(folder).find((name) => name.endsWith('.csv'))!,
        ),
        'utf8',
      );
      const fields = lines
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => /^(\d+),"(.*)",(\d+)$/.exec(line)!);
      return fields.map(([, id, name, twice]) => `${id}|${name!.replaceAll('""', '"')}|${twice}`);
    },
  }),
};

let folders = 0;

const pairs = [
  ...Object.keys(sources).map((from) => [from, 'a lake'] as const),
  ['CSV', 'a DuckDB file'],
  ['Parquet', 'a file of CSV'],
] as const;

test.each(pairs)(
  'from %s to %s: what meets the checks arrives, the rest is in quarantine',
  async (from, to) => {
    const directory = path.join(scratch, String(folders++));
    for (const name of ['from', 'to']) mkdirSync(path.join(directory, name), { recursive: true });
    const source = await sources[from]!(path.join(directory, 'from'));
    const target = targets[to]!(path.join(directory, 'to'));
    const project = (rules: StreamOptions) => ({
      connections: { from: source.connection, to: target.connection },
      pipelines: {
        p: {
          from: 'from',
          to: 'to',
          streams: { [source.stream]: { ...source.options, ...target.options, ...rules } },
        },
      },
    });
    const report = await run(project(CHECKED), 'p', { directory });
    expect(totalsOf(report.streams)).toEqual([good.length, ROWS - good.length]);
    expect((await target.read()).sort()).toEqual(linesOf(good));
    const kept = await Array.fromAsync(quarantine.read(project(CHECKED), 'p', { directory }));
    expect(new Set(kept.map(({ code, reason }) => `${code}: ${reason}`))).toEqual(
      new Set(['row.check: check not_three is not met']),
    );
    expect(kept.map(({ raw }) => raw)).toContain(source.raw);
    expect(kept).toHaveLength(ROWS - good.length);
    // A dump is read as a whole, and what is a file already has no place for more.
    if (from === 'a dump' || to === 'a file of CSV') return;
    const again = await quarantine.replay(project({ ...RULES, checks: {} }), 'p', { directory });
    expect(totalsOf(again!.streams)).toEqual([kept.length, 0]);
    expect((await target.read()).sort()).toEqual(linesOf(all));
  },
);

function totalsOf([stream]: readonly StreamReport[]): [loaded: number, quarantined: number] {
  expect(stream!.error).toBeUndefined();
  return [stream!.totals.loaded, stream!.totals.quarantined];
}

function linesOf(ids: readonly number[]): string[] {
  return ids.map((id) => `${id}|${nameOf(id).toUpperCase()}|${2 * id}`).sort();
}
