import { expect, test } from 'vitest';
import type { ApiOptions, ApiServer } from '../../generate/api/api-options.ts';
import type { GeneratedFile, GenerateFilesOptions } from '../../generate/files/generate-files.ts';
import type { ModelOptions } from '../../generate/open-model.ts';
import type { GeneratedTable } from '../../generate/tables/table-maker.ts';
import { runWith } from '../fakes.fixture.ts';

const FILE: GeneratedFile = {
  table: 'loans',
  date: '2026-01-01',
  path: 'a/loans.csv',
  records: 1200,
  bytes: 5000,
  faults: { 'bad-date': 2, cut: 1 },
};

test('flags become options of the model and of the files', async () => {
  let found: [ModelOptions, GenerateFilesOptions] | undefined;
  const args = [
    'generate',
    'files',
    './a/{table}_{date}.csv.gz',
    '--rows',
    '50',
    '--seed',
    '9',
    '--days',
    '3',
    '--deletes',
    '4',
  ];
  const more = [
    '--drift',
    'rename@2',
    '--drift',
    'nested@1',
    '--faults',
    '2 %',
    '--fault',
    'cut',
    '-t',
    'loans',
    '--changes',
    '--change-column',
    'op',
  ];
  const { code, out } = await runWith([...args, ...more], {
    generateFiles: (...given) => {
      found = given;
      return Promise.resolve([FILE, { ...FILE, date: '2026-01-02' }]);
    },
  });
  expect(code).toBe(0);
  expect(found![0]).toMatchObject({ rows: 50, seed: 9, deletes: 4, drift: { rename: 2, nested: 1 } });
  expect(found![1]).toMatchObject({
    form: { folder: './a', format: 'csv', packing: 'gzip' },
    tables: ['loans'],
    days: 3,
    content: 'changes',
    changeColumn: 'op',
    faults: { rate: 0.02, kinds: ['cut'] },
    force: false,
  });
  expect(out).toContain('2.4K records in 2 files');
});

test('with --json there is a line for each file and one for all', async () => {
  const { out } = await runWith(['generate', 'files', './a', '--json'], {
    generateFiles: () => Promise.resolve([FILE, FILE]),
  });
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ kind }) => kind)).toEqual(['generated-file', 'generated-file', 'generated']);
  expect(lines[2]).toMatchObject({
    files: 2,
    records: 2400,
    bytes: 10_000,
    faults: { 'bad-date': 4, cut: 2 },
  });
});

test('the API is served until the command is stopped, and closed then', async () => {
  let closed = false;
  let found: ApiOptions | undefined;
  const args = [
    'generate',
    'api',
    '--port',
    '80',
    '--oauth',
    'me:se:cret',
    '--hostile',
    'loans=429:1x2',
    '--hostile',
    'reset',
    '--json',
  ];
  const stop = new AbortController();
  const { code, out } = await runWith(
    args,
    {
      serveApi: (_, options) => {
        found = options;
        setImmediate(() => stop.abort());
        const close = (): Promise<void> => Promise.resolve(void (closed = true));
        return Promise.resolve({ url: 'http://127.0.0.1:80', port: 80, close } as ApiServer);
      },
    },
    [],
    stop.signal,
  );
  expect([code, closed]).toEqual([0, true]);
  expect(JSON.parse(out)).toEqual({ kind: 'api', url: 'http://127.0.0.1:80', port: 80 });
  expect(found).toMatchObject({
    port: 80,
    auth: { kind: 'oauth2', client: 'me', secret: 'se:cret' },
    hostile: { loans: ['429:1x2'], '*': ['reset'] },
  });
});

const TABLE: GeneratedTable = {
  table: 'loans',
  day: 1,
  date: '2026-01-02',
  inserted: 100,
  updated: 200,
  deleted: 5,
  records: 10_095,
  faults: {},
};

test('tables are made in a connection of the project, or where a URL leads', async () => {
  const found: unknown[][] = [];
  const services = {
    generateTables: (...given: unknown[]) => {
      found.push(given);
      return Promise.resolve([TABLE]);
    },
  };
  const args = ['generate', 'tables', './place', '--rows', '50', '--days', '3', '--replace', '-t', 'loans'];
  const { code, out } = await runWith(args, services);
  expect(code).toBe(0);
  expect(found[0]!.slice(1)).toMatchObject([
    'lake',
    { rows: 50 },
    { days: 3, replace: true, tables: ['loans'] },
  ]);
  expect(out).toContain('2026-01-02');
});

test('days pass in tables without saying again what they are made of', async () => {
  let found: unknown[] = [];
  const services = {
    liveOn: (...given: unknown[]) => {
      found = given;
      return Promise.resolve([TABLE, TABLE]);
    },
  };
  const { out } = await runWith(['generate', 'tables', './place', '--next', '2', '--json'], services);
  expect(found.slice(1)).toMatchObject(['lake', 2, { tables: [] }]);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ kind }) => kind)).toEqual(['generated-table', 'generated-table', 'generated']);
  const { code, err } = await runWith(['generate', 'tables', 'shop', '--next', '2', '--rows', '5'], services);
  expect([code, err]).toEqual([2, expect.stringContaining('leave out --rows')]);
});

test.each([
  [['files', './a', '--rows', 'many'], '--rows: "many" is no whole number'],
  [['files', './a', '--drift', 'renam@1'], '--drift: "renam@1" is no change@day; did you mean "rename"?'],
  [['files', './a', '--fault', 'cut'], '--fault says which, --faults how many'],
  [['files', './a', '--faults', '1', '--fault', 'cutt'], 'did you mean "cut"?'],
  [['files', './a', '--change-column', 'op'], '--change-column goes with --changes'],
  [['files', './a.txt.gz'], 'its ending names no format'],
  [['api', '--paging', 'pages'], '--paging: "pages" is none of page, offset'],
  [['api', '--hostile', 'loans=rest'], '"rest" is nothing that the API can do wrong'],
  [['api', '--bearer', 'a', '--api-key', 'b'], 'exclude each other'],
  [['api', '--basic', 'me'], '--basic: a name and a secret'],
])('a mistake is told before anything is done: %j', async (args, message) => {
  const { code, err } = await runWith(['generate', ...args], {});
  expect(code).toBe(2);
  expect(err).toContain(message);
});
