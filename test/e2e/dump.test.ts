/** A dump becomes tables: again only when it has changed, and not at all when it is not whole. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCatalog, plan, quarantine, run, type RunReport } from '../../src/index.ts';
import { makeZip } from '../support/zip-archive.ts';

class DumpLake implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), 'sluice-dump-'));
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  write(content: string | Uint8Array): void {
    writeFileSync(path.join(this.folder, this.file), content);
  }

  get project(): Parameters<typeof run>[0] {
    return {
      connections: {
        shop: { type: 'dump', path: `./${this.file}`, slice_size: 1_000_000 },
        lake: { type: 'lake', path: './lake' },
      },
      pipelines: { p: { from: 'shop', to: 'lake', streams: { '*': {} } } },
    };
  }

  get options(): { directory: string } {
    return { directory: this.folder };
  }

  plan(): ReturnType<typeof plan> {
    return plan(this.project, 'p', this.options);
  }

  run(): Promise<RunReport> {
    return run(this.project, 'p', this.options);
  }

  async query(sql: string): Promise<unknown[][]> {
    const catalog = await openCatalog(path.join(this.folder, 'lake'));
    try {
      const rows: unknown[][] = [];
      for await (const batch of (await catalog.select(sql)).batches) rows.push(...(batch as unknown[][]));
      return rows;
    } finally {
      await catalog.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const ROWS = 30_000;

/** Two tables whose rows take turns, the larger one in several slices. */
function dumpOf(label: string): string {
  const parts = [
    'CREATE TABLE big (id int PRIMARY KEY, v varchar(60));\nCREATE TABLE small (id int, at date);\n',
  ];
  for (let from = 0; from < ROWS; from += 1000) {
    const tuples = Array.from(
      { length: 1000 },
      (_, i) => `(${from + i},'${label} ${'x'.repeat(40)} ${from + i}')`,
    );
    parts.push(
      `INSERT INTO big VALUES ${tuples.join(',')};\nINSERT INTO small VALUES (${from},'2024-01-02');\n`,
    );
  }
  parts.push(`CREATE VIEW v AS SELECT 1;\n`);
  return parts.join('');
}

const BZIP2 =
  'QlpoOTFBWSZTWbK8gHoAAA3ftIAQQOQACDolnwAiAARAABCAIAgAQAAgAFRQAAADQERMjBlGamnkRpxWCGWzbee5IBYUW8smtK9P' +
  'ull7K8kCSCC0jBwuMyiAgY572xfF3JFOFCQsryAegA==';

const COUNTS = `SELECT count(*)::int, count(DISTINCT id)::int, min(v)[:3], max(length(v))::int FROM big`;

describe('a dump', () => {
  it.each([
    { file: 'd.sql', packed: (text: string) => text },
    { file: 'd.sql.gz', packed: (text: string) => gzipSync(text) },
  ])('in $file is loaded once, and anew when it has changed', async ({ file, packed }) => {
    await using lake = new DumpLake(file);
    lake.write(packed(dumpOf('old')));
    const planned = await lake.plan();
    expect(planned.streams.map(({ stream, slices }) => [stream.name, slices.length])).toEqual([
      ['big', 2],
      ['small', 1],
    ]);
    expect(planned.warnings[0]).toMatchObject({
      code: 'dump.unknown',
      message: expect.stringMatching(
        /^1 statement was not understood, the first on line 63: CREATE VIEW v …$/,
      ),
    });
    const first = await lake.run();
    expect(first.streams.map(({ status, totals }) => [status, totals.loaded])).toEqual([
      ['loaded', ROWS],
      ['loaded', 30],
    ]);
    expect(await lake.query(COUNTS)).toEqual([[ROWS, ROWS, 'old', 50]]);
    // Other times, same bytes.
    lake.write(packed(dumpOf('old')));
    expect((await lake.run()).streams.map(({ status }) => status)).toEqual(['nothing-new', 'nothing-new']);
    lake.write(packed(dumpOf('new')));
    expect((await lake.run()).streams.map(({ totals }) => totals.loaded)).toEqual([ROWS, 30]);
    expect(await lake.query(COUNTS)).toEqual([[ROWS, ROWS, 'new', 50]]);
    expect(readdirSync(path.join(lake.folder, '.sluice')).includes('dumps')).toBe(file !== 'd.sql');
    if (file !== 'd.sql') expect(readdirSync(path.join(lake.folder, '.sluice', 'dumps'))).toEqual([]);
  });

  it.each([
    { file: 'd.sql.zst', packed: (text: string) => zstdCompressSync(Buffer.from(text)) },
    { file: 'd.zip', packed: (text: string) => makeZip([{ name: 'd.sql', text }]) },
    // The same text as below, by the program of that name.
    { file: 'd.sql.bz2', packed: () => Buffer.from(BZIP2, 'base64') },
    { file: 'd-utf16.sql', packed: (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le') },
  ])('in $file is read as well', async ({ file, packed }) => {
    await using lake = new DumpLake(file);
    lake.write(packed(`CREATE TABLE t (a text);\nINSERT INTO t VALUES ('é'), ('🚚');`));
    expect((await lake.run()).streams[0]!.totals.loaded).toBe(2);
    expect(await lake.query('SELECT a FROM t ORDER BY a')).toEqual([['é'], ['🚚']]);
  });

  it('that is not whole, not text or not SQL loads nothing, and what was loaded stays', async () => {
    await using lake = new DumpLake('d.sql.gz');
    const text = dumpOf('old');
    lake.write(gzipSync(text));
    await lake.run();
    const refused: [string, Uint8Array][] = [
      ['files.compression', gzipSync(dumpOf('new')).subarray(0, 50_000)],
      ['dump.cut', gzipSync(text.slice(0, text.length / 2))],
      ['dump.archive', gzipSync(Buffer.from('PGDMP\x01\x0e'))],
      ['dump.encoding', gzipSync(`SET client_encoding = 'LATIN1';\n${text}`)],
      ['files.compression', Buffer.from(text)],
    ];
    for (const [code, bytes] of refused) {
      lake.write(bytes);
      await expect(lake.run(), code).rejects.toMatchObject({ code });
    }
    expect(await lake.query(COUNTS)).toEqual([[ROWS, ROWS, 'old', 50]]);
  });

  it('puts the tuple that is wrong among many aside, with its line', async () => {
    await using lake = new DumpLake('d.sql');
    lake.write(dumpOf('old').replace("(17002,'old", "('x','old"));
    const { streams } = await lake.run();
    expect(streams[0]!).toMatchObject({ status: 'loaded', totals: { loaded: ROWS - 1, quarantined: 1 } });
    expect(await lake.query(`SELECT count(*)::int FROM big WHERE id BETWEEN 17001 AND 17003`)).toEqual([[2]]);
  });

  it('keeps what cannot be taken apart as it is, however often it is read again', async () => {
    await using lake = new DumpLake('d.sql');
    lake.write(
      `CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1,'x'),\n(2,'it's),(3,'y');\nINSERT INTO t (b) VALUES ('z','z');\nINSERT INTO t VALUES (4,'w'),\n(5,'it's); `,
    );
    const kept = async (): Promise<unknown[]> => {
      const records = await Array.fromAsync(quarantine.read(lake.project, 'p', lake.options));
      return records.map(({ line, code, raw }) => [line, code, raw]);
    };
    await lake.run();
    const found = await kept();
    expect(found).toEqual([
      [3, 'row.tuple', "(2,'it's),(3,'y');"],
      [4, 'row.fields', "('z','z')"],
      [6, 'row.tuple', "(5,'it's);"],
    ]);
    for (let i = 0; i < 2; i++) {
      const report = await quarantine.replay(lake.project, 'p', lake.options);
      expect(report!.streams[0]!.totals).toMatchObject({ rows: 3, loaded: 0, quarantined: 3 });
      expect(await kept()).toEqual(found);
    }
  });
});
