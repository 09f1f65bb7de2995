/** Taps that behave well and badly, as real processes; what is on disk after them. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { record, schema, type Seen, state, TAP } from '../../../test/support/tap-lake.ts';
import { resolveStreams } from '../../config/resolve-streams.ts';
import type { StreamOptions } from '../../core/project.ts';
import type { Checkpoint } from '../../core/stream.ts';
import { renderType } from '../../core/types.ts';
import type { Fetched, FetchRequest } from '../shared/records/feed.ts';
import { Spool } from '../shared/records/spool.ts';
import { Tally } from '../shared/records/tally.ts';
import { singerOptions } from './options.ts';
import { TapFeed } from './tap-feed.ts';

const SCHEMA = schema({ id: { type: 'integer' }, name: { type: ['null', 'string'] } });
const NEVER = new AbortController().signal;

class Bench implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), 'sluice-tap-'));
  readonly #spools: Spool[] = [];
  connection: Record<string, unknown> = {};
  config: Record<string, unknown> = {};

  get feed(): TapFeed {
    const config = { seen: path.join(this.folder, 'seen.jsonl'), ...this.config };
    const options = { command: [...TAP], config, discover: false, ...this.connection };
    const context = { name: 'tap', directory: this.folder, memoryBytes: 0, workers: 1 };
    return new TapFeed(singerOptions.parse(options), context);
  }

  /** What was fetched, and the records that are on disk. */
  async fetch(
    say: unknown[],
    stream: StreamOptions = { load: 'merge' },
    request: Partial<FetchRequest> = {},
  ): Promise<Fetched & { records: unknown[]; documents: number }> {
    this.config = { say, ...this.config };
    const spool = new Spool(path.join(this.folder, 'spool'));
    this.#spools.push(spool);
    const pipeline = { from: 'a', to: 'b', streams: { t: stream } };
    const [config] = resolveStreams(pipeline, [{ name: 't' }], []).streams;
    const tally = new Tally(undefined);
    const asked = { tally, checkpoint: undefined, window: {}, preview: false, signal: NEVER, ...request };
    const fetched = await this.feed.fetch({ stream: config!, spool, early: () => undefined, ...asked });
    const texts = spool.documents.map(({ key }) =>
      readFileSync(path.join(this.folder, 'spool', folderOf(spool), key), 'utf8'),
    );
    const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
    expect(spool.documents.map((document) => document.bytes)).toEqual(
      texts.map((text) => Buffer.byteLength(text)),
    );
    expect(spool.records).toBe(lines.length);
    return { ...fetched, records: lines.map((line) => JSON.parse(line) as unknown), documents: texts.length };
  }

  get seen(): Seen[] {
    const lines = readFileSync(path.join(this.folder, 'seen.jsonl'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const spool of this.#spools) await spool.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function folderOf({ id }: Spool): string {
  return `${id}.spool`;
}

const rows = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from + 1 }, (_, i) => record({ id: from + i, name: `n${from + i}` }));
const ids = ({ records }: { records: unknown[] }): unknown[] =>
  records.map((each) => (each as { id: number }).id);

test.each([
  ['dies', { do: 'exit', code: 3 }, 'singer.tap_failed', 'fetching t: the tap ended with exit code 3'],
  ['is killed', { do: 'kill' }, 'singer.tap_failed', 'fetching t: the tap ended by SIGKILL'],
  [
    'hangs',
    { do: 'wait', ms: 60_000 },
    'singer.silent',
    'fetching t: the tap said nothing for 3 s, and was ended',
  ],
  [
    'breaks a message off',
    { do: 'write', text: '{"type": "RECORD", "stream": "t", "rec' },
    'singer.broken_message',
    'fetching t: line 6 of what the tap wrote is no JSON object',
  ],
])('of a tap that %s all is kept up to its last STATE', async (_, end, code, message) => {
  await using bench = new Bench();
  // Long enough for a process to start on a busy machine.
  if (code === 'singer.silent') bench.connection = { timeout: 3 };
  const fetched = await bench.fetch([SCHEMA, ...rows(1, 2), state({ at: 2 }), ...rows(3, 3), end]);
  expect(fetched.problem).toMatchObject({ code, message });
  expect([ids(fetched), fetched.position, fetched.key]).toEqual([[1, 2], '{"state":"{\\"at\\":2}"}', ['id']]);
});

test('without a STATE nothing of a tap that dies is certain', async () => {
  await using bench = new Bench();
  await expect(bench.fetch([SCHEMA, ...rows(1, 2), { do: 'exit', code: 1 }])).rejects.toMatchObject({
    code: 'singer.tap_failed',
  });
});

test('says what a tap said last, without its secrets, and keeps all of it', async () => {
  await using bench = new Bench();
  bench.config = { api_key: 'abcdef-123', nested: { password: 'hidden \n in lines' } };
  bench.connection = { env: { OTHER: 'from-env' } };
  const say = [
    { do: 'stderr', text: 'INFO starting with abcdef-123' },
    { do: 'stderr', text: 'ERROR 401 for abcdef-123, hidden from-env postgres://me:pw@host/x' },
    { do: 'exit', code: 1 },
  ];
  const error = await bench.fetch(say).catch((thrown: unknown) => thrown);
  const last = 'ERROR 401 for ***, *** *** postgres://me@host/x';
  expect(error).toMatchObject({
    message: `fetching t: the tap ended with exit code 1; its last words: ${last}`,
  });
  const [, log] = /is in (\S+)$/.exec((error as { remedy: string }).remedy)!;
  expect(readFileSync(log!, 'utf8')).toBe(`INFO starting with ***\n${last}\n`);
});

test('its files are for nobody else, and gone when it has ended', async () => {
  await using bench = new Bench();
  const file = path.join(bench.folder, 'modes.txt');
  const script = `for f in "$@"; do case $f in *.json) stat -c '%a %n' $f $(dirname $f) >> ${file};; esac; done`;
  bench.connection = { command: ['sh', '-c', script, 'sh'] };
  await bench.fetch([], undefined, { checkpoint: { cursor: [], position: '{"state":"1"}' } });
  const [config, folder, given] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  expect([config![0], folder![0], given![0]]).toEqual(['600', '700', '600']);
  expect(given![1]).toMatch(/state\.json$/);
  expect(() => statSync(folder![1]!)).toThrow(/ENOENT/);
  expect(readdirSync(path.join(bench.folder, '.sluice', 'singer'))).toEqual(['tap-t.log']);
});

test('tells what a tap babbles, and leaves it out', async () => {
  await using bench = new Bench();
  const fetched = await bench.fetch([
    'Hello!',
    record({ id: 0 }),
    SCHEMA,
    ...rows(1, 2),
    { type: 'HELLO', stream: 't' },
    '["no", "message"]',
    { ...record({ id: 9 }), stream: 'other' },
    { do: 'stderr', text: 'WARNING slow' },
    state(1),
  ]);
  expect(fetched.notes.map(({ code, message }) => [code, message])).toEqual([
    ['singer.noise', 'lines that are no messages were left out: 2, the first on line 1'],
    ['singer.no_schema', 'records came before their schema: 1, the first on line 2'],
    ['singer.unknown_message', 'messages of the unknown type HELLO were left out: 1, the first on line 6'],
    ['singer.said', 'the tap warned once: WARNING slow'],
    ['singer.other_streams', 'the tap brought records of other streams too, which were left out: other (1)'],
  ]);
  expect([ids(fetched), fetched.problem]).toEqual([[0, 1, 2], undefined]);
});

test('schemas of a stream add up, and the key is that of the last', async () => {
  await using bench = new Bench();
  const more = schema({ id: { type: 'number' }, added: { type: 'string', format: 'date-time' } }, [
    'id',
    'added',
  ]);
  const fetched = await bench.fetch([SCHEMA, ...rows(1, 1), more, ...rows(2, 2)]);
  const types = Object.entries(fetched.types!).map(([name, type]) => `${name} ${renderType(type)}`);
  expect([types, fetched.key]).toEqual([
    ['id float64', 'name utf8', 'added timestamptz'],
    ['id', 'added'],
  ]);
});

test('records may get the time at which they were read', async () => {
  await using bench = new Bench();
  bench.connection = { extracted_at: true };
  const at = { time_extracted: '2026-01-01T00:00:00Z' };
  const fetched = await bench.fetch([SCHEMA, record({ id: 1 }, at), record({}, at), record({ id: 2 })]);
  expect(fetched.records).toEqual([
    { _sdc_extracted_at: '2026-01-01T00:00:00Z', id: 1 },
    { _sdc_extracted_at: '2026-01-01T00:00:00Z' },
    { id: 2 },
  ]);
  expect(fetched.types!['_sdc_extracted_at']).toEqual({ kind: 'timestamp', zone: true });
});

test('files of a BATCH message are records as well', async () => {
  await using bench = new Bench();
  const file = (name: string, bytes: string | Uint8Array): string => {
    writeFileSync(path.join(bench.folder, name), bytes);
    return path.join(bench.folder, name);
  };
  const batch = (manifest: string[], encoding: object): object => ({
    type: 'BATCH',
    stream: 't',
    encoding,
    manifest,
  });
  const plain = file('1.jsonl', '{"id":2}\n{"id":3}');
  const packed = file('2.jsonl.gz', gzipSync('{"id":4}\n{"id":5}\n'));
  const said = [
    SCHEMA,
    ...rows(1, 1),
    batch([`file://${plain}`], { format: 'jsonl' }),
    batch([packed], { format: 'jsonl', compression: 'gzip' }),
    ...rows(6, 6),
    state(6),
  ];
  expect(ids(await bench.fetch(said))).toEqual([1, 2, 3, 4, 5, 6]);
  for (const [manifest, encoding] of [
    [[packed], { format: 'parquet' }],
    [['s3://bucket/x'], { format: 'jsonl' }],
    [[file('3.gz', gzipSync('{"id":7}\n').subarray(0, 20))], { format: 'jsonl', compression: 'gzip' }],
    [['/nowhere/x.jsonl'], { format: 'jsonl' }],
  ] as const) {
    bench.config = {};
    const fetched = await bench.fetch([...said, batch([...manifest], encoding), state(7)]);
    expect([fetched.problem?.code, ids(fetched)]).toEqual([
      manifest[0].endsWith('3.gz') ? 'files.compression' : 'singer.batch',
      [1, 2, 3, 4, 5, 6],
    ]);
  }
});

const CATALOG = {
  streams: [
    {
      tap_stream_id: 't',
      stream: 'tee',
      schema: {
        type: 'object',
        properties: {
          id: { type: 'integer' },
          name: { type: 'string' },
          at: { type: 'string', format: 'date-time' },
        },
      },
      metadata: [
        { breadcrumb: [], metadata: { 'table-key-properties': ['id'], 'valid-replication-keys': ['at'] } },
        { breadcrumb: ['properties', 'id'], metadata: { inclusion: 'automatic' } },
        {
          breadcrumb: ['properties', 'at'],
          metadata: { inclusion: 'available', 'selected-by-default': false },
        },
      ],
    },
    {
      tap_stream_id: 'parent',
      stream: 'parent',
      schema: { properties: {} },
      key_properties: ['id'],
      replication_method: 'FULL_TABLE',
    },
  ],
};

test('one stream is asked for, by the catalog that the tap has given', async () => {
  await using bench = new Bench();
  bench.config = { catalog: CATALOG };
  bench.connection = { discover: true, metadata: { parent: { selected: true } } };
  const checkpoint: Checkpoint = { cursor: [], position: '{"state":"{\\"at\\":12345678901234567890}"}' };
  const stream = { load: 'merge', cursor: 'at', columns: { exclude: ['name'] } } satisfies StreamOptions;
  await bench.fetch([{ ...SCHEMA, stream: 'tee' }], stream, { checkpoint });
  const [seen] = bench.seen;
  expect([seen!.args, seen!.state]).toEqual([
    ['--config', '--catalog', '--state'],
    '{"at":12345678901234567890}',
  ]);
  const [own, parent] = seen!.catalog!.streams;
  expect([own!['selected'], parent!['selected']]).toEqual([true, true]);
  expect(own!['metadata']).toEqual([
    {
      breadcrumb: [],
      metadata: {
        'table-key-properties': ['id'],
        'valid-replication-keys': ['at'],
        'replication-method': 'INCREMENTAL',
        'replication-key': 'at',
        selected: true,
      },
    },
    { breadcrumb: ['properties', 'id'], metadata: { inclusion: 'automatic', selected: true } },
    {
      breadcrumb: ['properties', 'at'],
      metadata: { inclusion: 'available', 'selected-by-default': false, selected: false },
    },
    { breadcrumb: ['properties', 'name'], metadata: { selected: false } },
  ]);
});

test('what is replaced is asked for as a whole, and gets no state', async () => {
  await using bench = new Bench();
  bench.config = { catalog: CATALOG };
  bench.connection = { discover: true, properties: true };
  await bench.fetch([], { load: 'replace' }, { checkpoint: { cursor: [], position: '{"state":"1"}' } });
  const [seen] = bench.seen;
  expect([seen!.args, seen!.state]).toEqual([['--config', '--properties'], undefined]);
  expect(seen!.catalog!.streams.map((each) => [each['selected'], each['replication_method']])).toEqual([
    [true, 'FULL_TABLE'],
    [false, 'FULL_TABLE'],
  ]);
});

test('the catalog says what there is', async () => {
  await using bench = new Bench();
  const file = path.join(bench.folder, 'catalog.json');
  writeFileSync(file, JSON.stringify(CATALOG));
  bench.connection = { catalog: 'catalog.json' };
  expect(await bench.feed.streams(NEVER)).toMatchObject([
    {
      name: 't',
      key: ['id'],
      fields: [
        { name: 'id', type: { kind: 'int64' } },
        { name: 'name', type: { kind: 'utf8' } },
        { name: 'at', type: { kind: 'timestamp', zone: true } },
      ],
      cursors: ['at'],
      proposal: { load: 'merge' },
    },
    { name: 'parent', proposal: { load: 'replace' } },
  ]);
  expect(await bench.feed.check(NEVER)).toMatchObject({
    title: `Singer tap ${path.basename(process.execPath)}, streams: 2`,
  });
  await expect(
    bench.fetch([], {}, { stream: { name: 'x' } as FetchRequest['stream'] }),
  ).rejects.toMatchObject({
    code: 'stream.invalid',
    remedy: 'its catalog has t, parent',
  });
});

test.each([
  [{ command: 'tap-nobody --x' }, 'singer.no_tap', 'fetching t: "tap-nobody" is not found'],
  [{ catalog: 'none.json' }, 'singer.file', 'reading the catalog of a tap: "none.json" cannot be read'],
  [{ config: 'none.json' }, 'singer.file', 'reading the configuration of a tap: "none.json" cannot be read'],
  [{ config: 'no.json' }, 'singer.config', 'reading the configuration of a tap: "no.json" is no JSON'],
  [{ catalog: 'no.json' }, 'singer.catalog', 'reading the catalog of a tap: "no.json" is no JSON'],
  [
    { command: ['sh', '-c', 'echo {}'], discover: true },
    'singer.catalog',
    'reading the catalog of a tap: what it printed has no list `streams`',
  ],
  [
    { command: 'false', discover: true },
    'singer.tap_failed',
    'asking a tap for its catalog: the tap ended with exit code 1',
  ],
])('%j is told', async (connection, code, message) => {
  await using bench = new Bench();
  writeFileSync(path.join(bench.folder, 'no.json'), '{');
  bench.connection = connection;
  await expect(bench.fetch([])).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test('a look takes the first records, and ends the tap', async () => {
  await using bench = new Bench();
  const fetched = await bench.fetch([SCHEMA, ...rows(1, 5000), { do: 'wait', ms: 60_000 }], undefined, {
    preview: true,
  });
  expect(fetched.records.length).toBeGreaterThanOrEqual(1000);
  expect(fetched.window).toBe('all, of which the first records were looked at');
});
