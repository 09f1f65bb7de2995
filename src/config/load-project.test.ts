import { mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { Project } from '../core/project.ts';
import { checkProject } from './check-project.ts';
import { connector, connectors, failure, folder, mistakesOf } from './connectors.fixture.ts';
import { loadProject, parseProject } from './load-project.ts';
import type { Mistake } from './mistakes.ts';
import { readYaml } from './read-yaml.ts';

const MINUTE = 60;
const DAY = 86_400;

async function load(text: string, env: Record<string, string> = {}, known = connectors): Promise<Project> {
  return loadProject({ directory: folder({ 'sluice.yaml': text }), env, connectors: known });
}

async function mistakes(
  text: string,
  env: Record<string, string> = {},
  known = connectors,
): Promise<string[]> {
  return mistakesOf(await failure(() => load(text, env, known)));
}

/** A project around the options of one stream. */
function withStream(stream: string, defaults = '{}'): string {
  return `connections:
  shop: { type: postgres, url: postgres://db/shop }
  lake: { type: lake, path: ./lake }
pipelines:
  p:
    from: shop
    to: lake
    defaults: ${defaults}
    streams:
      ${stream}
`;
}

describe('a project file', () => {
  test('is read with everything that the sketch shows', async () => {
    const text = `# yaml-language-server: $schema=node_modules/sluice/schema.json
connections:
  shop: { type: postgres, url: "\${SHOP_URL}" }
  lake: { type: lake, path: ./lake }

pipelines:
  shop_to_lake:
    from: shop
    to: lake
    schedule: "0 1 * * *"
    defaults: { load: merge }
    streams:
      public.customers: { cursor: [updated_at, created_at] }
      public.orders:
        cursor: updated_at
        lookback: { column: order_date, days: 7 }
        first_run: 30 days
        partition_by: { column: order_date, by: day }
      public.country_*: { load: replace }
      public.audit_log: false
      public.plain:
      public.same: true
`;
    const directory = folder({ 'sluice.yaml': text });
    const project = await loadProject({
      directory,
      env: { SHOP_URL: 'postgres://app:pw@db:5432/shop' },
      connectors,
    });
    expect(project).toEqual({
      directory,
      connections: {
        shop: {
          type: 'postgres',
          url: 'postgres://app:pw@db:5432/shop',
          connect_timeout: 10,
          lock_timeout: 60,
          stall_timeout: 30,
          row_security: false,
          slice_size: 2 ** 30,
          indexes: true,
          foreign_keys: true,
          keep_indexes: false,
          schema: 'public',
        },
        lake: {
          type: 'lake',
          path: './lake',
          compression: 'zstd',
          file_size: 256_000_000,
          retention: 3600,
          slice_size: 256_000_000,
          cache: '.sluice/cache',
          cache_size: 5_000_000_000,
        },
      },
      pipelines: {
        shop_to_lake: {
          from: 'shop',
          to: 'lake',
          schedule: '0 1 * * *',
          defaults: { load: 'merge' },
          streams: {
            'public.customers': { cursor: ['updated_at', 'created_at'] },
            'public.orders': {
              cursor: 'updated_at',
              lookback: { column: 'order_date', days: 7 },
              first_run: 30 * DAY,
              partition_by: { column: 'order_date', by: 'day' },
            },
            'public.country_*': { load: 'replace' },
            'public.audit_log': false,
            'public.plain': {},
            'public.same': {},
          },
        },
      },
      state: { type: 'sqlite', path: '.sluice/state.db' },
      memoryBytes: 512 * 2 ** 20,
    });
  });

  test('all options of a stream are read', async () => {
    const project = await load(
      withStream(`q:
        sql: select 1
        table: questions
        cursor: at
        cursor_timezone: Europe/Berlin
        key: [a, b]
        overlap: 5 minutes
        null_cursor: skip
        columns: { exclude: [secret] }
        rename: { a: first }
        types: { b: "Decimal(20, 4)", c: text }
        where: a > 1
        checks: { a_positive: a > 0 }
        compute: { twice: a * 2 }
        slice_rows: 100000`),
    );
    expect(project.pipelines['p']?.streams['q']).toEqual({
      sql: 'select 1',
      table: 'questions',
      cursor: 'at',
      cursor_timezone: 'Europe/Berlin',
      key: ['a', 'b'],
      overlap: 5 * MINUTE,
      null_cursor: 'skip',
      columns: { exclude: ['secret'] },
      rename: { a: 'first' },
      types: { b: 'decimal(20,4)', c: 'text' },
      where: 'a > 1',
      checks: { a_positive: 'a > 0' },
      compute: { twice: 'a * 2' },
      slice_rows: 100_000,
    });
  });

  test('checks and computed columns that cannot be have their places', async () => {
    const wrong = withStream(
      'q: { checks: { "no name": a > 0, b: 5, c: "" }, compute: { _sluice_x: a }, load: replace }',
    );
    const error = await failure(() => load(wrong));
    expect(mistakesOf(error).map((mistake) => mistake.slice(mistake.indexOf('streams.')))).toEqual([
      expect.stringContaining('streams.q.checks.no name: a name is made of letters, digits'),
      'streams.q.checks.b: expected text, found 5',
      'streams.q.checks.c: must not be empty',
      'streams.q.compute._sluice_x: names that begin with _sluice_ are those of columns that sluice adds',
    ]);
  });

  test('parsed options of a connection can be parsed again', async () => {
    const { connections } = await load(withStream('a: {}'));
    for (const [, { type, ...options }] of Object.entries(connections)) {
      expect(connectors.get(type)?.options.parse(options)).toEqual(options);
    }
  });

  test.each([
    ['state: sqlite', { type: 'sqlite', path: '.sluice/state.db' }],
    ['state: { type: sqlite }', { type: 'sqlite', path: '.sluice/state.db' }],
    ['state: { type: sqlite, path: /var/lib/s.db }', { type: 'sqlite', path: '/var/lib/s.db' }],
    ['state: { type: lake, connection: lake }', { type: 'lake', connection: 'lake' }],
  ])('%s', async (line, state) => {
    expect((await load(`${withStream('a: {}')}${line}\n`)).state).toEqual(state);
  });

  test('anchors and merge keys share options, own ones go first', async () => {
    const project = await load(
      withStream(`a: &base { cursor: at, overlap: 1 minute, load: append }
      b: *base
      c: { <<: *base, load: merge }
      d: { load: merge, <<: [*base, { overlap: 2 minutes, key: id }] }`),
    );
    expect(project.pipelines['p']?.streams).toMatchObject({
      b: { cursor: 'at', overlap: 60, load: 'append' },
      c: { cursor: 'at', overlap: 60, load: 'merge' },
      d: { cursor: 'at', overlap: 60, load: 'merge', key: 'id' },
    });
  });
});

describe('finding the file', () => {
  test('goes up to the nearest folder that has one', async () => {
    const directory = folder({ 'sluice.yml': withStream('a: {}') });
    const below = join(directory, 'one', 'two');
    mkdirSync(below, { recursive: true });
    expect((await loadProject({ directory: below, connectors })).directory).toBe(directory);
  });

  test('takes the named file, relative to the folder', async () => {
    const directory = folder({ 'other.yaml': withStream('a: {}'), 'sluice.yaml': 'broken: [' });
    expect((await loadProject({ directory, file: 'other.yaml', connectors })).directory).toBe(directory);
  });

  test('two files in one folder are one too many', async () => {
    const directory = folder({ 'sluice.yaml': '', 'sluice.config.mjs': '' });
    const error = await failure(() => loadProject({ directory, connectors }));
    expect([error.code, error.message]).toEqual([
      'config.ambiguous',
      `looking for the project in ${directory}: there are sluice.yaml and sluice.config.mjs`,
    ]);
  });

  test('says where it looked, and what to do', async () => {
    const directory = folder({});
    const error = await failure(() => loadProject({ directory, connectors }));
    expect(error.code).toBe('config.not_found');
    expect(error.message).toContain(directory);
    expect(error.remedy).toContain('sluice init');
  });

  test.each(['missing.yaml', 'missing.config.mjs'])('%s does not exist', async (file) => {
    const error = await failure(() => loadProject({ directory: folder({}), file, connectors }));
    expect([error.code, error.message]).toEqual([
      'config.unreadable',
      expect.stringMatching(/^reading .*: there is no such file$/),
    ]);
  });
});

describe('mistakes', () => {
  test('come all at once, in the order of the file, in the form that is promised', async () => {
    const text = `connections:
  shop: { type: postgres, url: postgres://db/shop }
  lake: { type: lake }
pipelines:
  shop_to_lake:
    from: shop
    to: lake
    streams:
      public.customers: { cursor: [updated_at, created_at] }
      public.orders:
        cursor: updated_at
        lookbak: { column: order_date, days: 7 }
        partition_by: { column: order_date, by: dya }
`;
    const directory = folder({ 'sluice.yaml': text });
    const before = process.cwd();
    process.chdir(directory);
    try {
      const error = await failure(() => loadProject({ connectors }));
      expect(error.code).toBe('config.invalid');
      expect(error.message).toBe(`sluice.yaml has 3 mistakes:
  3:9    connections.lake.path: missing
  12:9   pipelines.shop_to_lake.streams.public.orders.lookbak: unknown option; did you mean "lookback"?
  13:49  …partition_by.by: "dya" is none of hour, day, month, year, value; did you mean "day"?`);
      expect(error.details['mistakes']).toContainEqual({
        file: join(realpathSync(directory), 'sluice.yaml'),
        line: 13,
        column: 49,
        path: 'pipelines.shop_to_lake.streams.public.orders.partition_by.by',
        message: '"dya" is none of hour, day, month, year, value; did you mean "day"?',
      });
    } finally {
      process.chdir(before);
    }
  });

  test('a file full of them yields them all', async () => {
    const text = `connections:
  shop: { type: postgres, url: "\${SHOP_URL}", port: 99999, tls: required }
  other: { type: postgress }
  lake: { type: lake, compression: zst, file_size: 3 kB, "retention": soon }
  lake: { type: lake, path: again }
  1bad: { type: lake, path: x }
  none:
pipelines:
  p:
    from: shpo
    to: shop
    timezone: Europe/Berln
    schedule: every day
    defaults: { load: merge, table: x, cursor: at, date: d }
    streams:
      a: { cursor: [1, x], slice_rows: 0 }
      b_*: { load: replace, cursor: x, table: y }
      c: no
      "d**":
      e: { types: { x: txt }, columns: { include: [x, y], exclude: [y] }, rename: { a: z, b: z } }
      f: { cursor: [xmin, id], key: [], load: upsert }
  q: { from: lake, to: lake }
state: { type: lake, conection: shop }
memory: 512
pipelins: {}
`;
    expect(await mistakes(text)).toEqual([
      '2:32 connections.shop.url: environment variable SHOP_URL is not set',
      '2:53 connections.shop.port: must be at most 65535, found 99999',
      '2:65 connections.shop.tls: "required" is none of disable, prefer, require, verify-ca, verify-full; did you mean "require"?',
      '3:18 connections.other.type: "postgress" is no kind of system that sluice knows; did you mean "postgres"?',
      '4:9 connections.lake.path: missing',
      '4:36 connections.lake.compression: "zst" is none of zstd, snappy, gzip, none; did you mean "zstd"?',
      '4:52 connections.lake.file_size: must be at least 1 MB',
      '4:71 connections.lake.retention: "soon" is no duration; write "90s", "15 minutes", "1h 30m", "30 days" or a number of seconds',
      '5:3 connections.lake: is written twice; the first is at 4:3',
      '6:3 connections.1bad: a name is made of letters, digits, "_" and "-" and starts with a letter',
      '7:8 connections.none: expected a map of options, found nothing',
      '10:11 pipelines.p.from: there is no connection "shpo"; did you mean "shop"?',
      '11:9 pipelines.p.to: "shop" is of type postgres, to which sluice cannot write',
      '12:15 pipelines.p.timezone: "Europe/Berln" is no timezone; did you mean "Europe/Berlin"?',
      '13:15 pipelines.p.schedule: a schedule has five fields, as in cron: "0 1 * * *" is every day at 01:00',
      '14:30 pipelines.p.defaults.table: belongs to one stream, it cannot be a default of all',
      '14:52 pipelines.p.defaults.date: a stream goes by a cursor or by a date, not by both',
      '16:21 pipelines.p.streams.a.cursor[0]: expected text, found 1',
      '16:40 pipelines.p.streams.a.slice_rows: must be at least 1, found 0',
      '17:29 pipelines.p.streams.b_*.cursor: means nothing with "load: replace", which reads everything each time; leave one out',
      '17:40 pipelines.p.streams.b_*.table: belongs to one stream, but the name has a *',
      '18:10 pipelines.p.streams.c: expected a map of options, false, true or nothing, found "no"',
      '19:7 pipelines.p.streams.d**: one * already stands for any number of characters',
      '20:24 pipelines.p.streams.e.types.x: "txt" is no type; did you mean "text"?',
      '20:40 pipelines.p.streams.e.columns: "y" cannot be both included and excluded',
      '20:83 pipelines.p.streams.e.rename: two columns cannot both become "z"',
      '21:20 pipelines.p.streams.f.cursor: "xmin" stands alone',
      '21:37 pipelines.p.streams.f.key: needs at least 1 entry',
      '21:47 pipelines.p.streams.f.load: "upsert" is none of append, merge, replace, delete-insert, scd2',
      '22:6 pipelines.q.streams: missing',
      '22:14 pipelines.q.from: "lake" is of type lake, from which sluice cannot read',
      '23:8 state.connection: missing',
      '23:22 state.conection: unknown option; did you mean "connection"?',
      '24:9 memory: must be at least 320 MiB',
      '25:1 pipelins: unknown option; did you mean "pipelines"?',
    ]);
  });

  test('versions need a destination that keeps them', async () => {
    const text = (to: string): string => `connections:
  shop: { type: postgres, url: "postgres://x/y" }
  lake: { type: lake, path: x }
pipelines:
  p:
    from: shop
    to: ${to}
    defaults: { load: scd2 }
    streams: { a: { load: scd2, cursor: x }, b: { load: merge } }
`;
    const able = connector('postgres', connectors.get('postgres')!.options, 'source');
    const both = { source: true, destination: true, atomicCommit: true, versions: true };
    const known = new Map([...connectors, ['postgres', { ...able, capabilities: both }]]);
    const read = (to: string): Promise<unknown> => load(text(to), {}, known);
    const problem =
      '"scd2" needs a destination that keeps versions of rows (postgres), and "lake" is of type lake';
    expect(mistakesOf(await failure(() => read('lake')))).toEqual([
      `8:23 pipelines.p.defaults.load: ${problem}`,
      `9:27 pipelines.p.streams.a.load: ${problem}`,
    ]);
    await read('shop');
  });

  test('what only code can be is not what somebody meant', async () => {
    const code = z.custom((given) => typeof given === 'function', { params: { kind: 'function' } });
    const options = z.strictObject({ auth: z.union([z.strictObject({ bearer: z.string() }), code]) });
    const known = new Map([...connectors, ['api', connector('api', options, 'source')]]);
    const mistakes = async (auth: string): Promise<unknown> =>
      mistakesOf(await failure(() => load(`connections: { a: { type: api, auth: ${auth} } }\n`, {}, known)));
    expect(await mistakes('5')).toContain('1:38 connections.a.auth: expected a map of options, found 5');
    expect(await mistakes('{ berer: x }')).toContain('1:38 connections.a.auth.bearer: missing');
  });

  test('one is called one', async () => {
    expect((await failure(() => load('connections: {}\nx: 1\n'))).message).toMatch(
      / has 1 mistake:\n {2}2:1 {2}x: unknown option/,
    );
  });

  test.each([
    ['', '1:1 : the file is empty'],
    ['# nothing\n', '1:1 : the file is empty'],
    ['- a\n', '1:1 : expected a map of options, found a list'],
    ['connections: [a]\n', '1:14 connections: expected a map, found a list'],
    ['connections:\n\tshop: 1\n', '2:1 : tabs cannot indent; use spaces'],
    [
      'connections: { shop: { type: postgres, url: ${SHOP_URL} } }\n',
      '1:46 : inside { } and [ ] a placeholder needs quotes: "${NAME}"',
    ],
    ['a: 1\n*_x: {}\n', '2:4 : a name that starts with * needs quotes'],
    [
      'a: "x\n',
      '2:1 : something is missing here: a closing quote or bracket, a comma, or a space after the colon',
    ],
    ['connections: {}\n---\na: 1\n', '2:1 : a second document begins here; a project is one document'],
    ['a: s3cret: x\n', '1:4 : text with ": " in it needs quotes'],
  ])('%j is no project', async (text, mistake) => {
    expect(await mistakes(text)).toEqual([mistake]);
  });

  test.each([
    ['connections: !secret x\n', /^1:14 : tags such as !secret have no meaning here/],
    ['connections: *x\n', /^1:14 connections: there is no anchor of this name above$/],
    ['connections: &x { a: *x }\n', /^1:17 connections.a: contains itself$/],
    ['connections: { <<: 5 }\n', /^1:14 connections: "<<" takes the entries of a map/],
    ['connections: { ? {a: b} : c }\n', /^1:18 connections: a name has to be plain text$/],
    ['connections: { __proto__: { type: lake } }\n', /^1:16 connections: a name has to be plain text$/],
  ])('%j has an odd node', async (text, first) => {
    expect((await mistakes(text))[0]).toMatch(first);
  });

  test('a file that aliases make gigantic is refused, and soon', async () => {
    const levels = [
      'a: &a0 [x, x, x, x, x, x, x, x, x, x]',
      ...Array.from({ length: 9 }, (_, i) => `a${i}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`),
    ];
    const found = await mistakes(levels.join('\n'));
    expect(found.filter((line) => line.includes('aliases of this file make it too large'))).toHaveLength(1);
  });

  test('a connector that ignores unknown options still has its spelling checked', async () => {
    const lenient = connector('api', z.object({ address: z.string().optional() }), 'source');
    const known = new Map<string, Connector>([...connectors, ['api', lenient]]);
    expect(await mistakes('connections: { a: { type: api, adress: x } }\n', {}, known)).toEqual([
      '1:32 connections.a.adress: unknown option; did you mean "address"?',
    ]);
  });
});

test('whatever the file holds, it is a project or has mistakes with positions', () => {
  const text = withStream(
    'a: &x { cursor: [c, d], lookback: { column: d, days: 7 }, where: "${A} < 1", types: { a: text } }',
  );
  const noise = fc.oneof(
    fc.string({
      unit: fc.constantFrom(...'a 1 : - [ ] { } * & ! | > % @ ` " # ,'.split(' '), ' ', '\n', '\t', '${'),
      maxLength: 6,
    }),
    fc.constantFrom(
      '<<: *x',
      '*x',
      'null',
      '.nan',
      '-1',
      '0x1F',
      '1e999',
      '"\\u0000"',
      '!!binary aGk=',
      '!!set { a }',
      '? a',
      '__proto__: 1',
    ),
  );
  const project = { file: '/x/sluice.yaml', directory: '/x', connectors };
  fc.assert(
    fc.property(noise, fc.nat(text.length), fc.nat(12), (inserted, at, dropped) => {
      try {
        checkProject(readYaml(text.slice(0, at) + inserted + text.slice(at + dropped), { A: 'a' }), project);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const found = error.details['mistakes'] as Mistake[];
        expect(found.length).toBeGreaterThan(0);
        for (const { line, column, message } of found)
          expect([line, column, message]).not.toContain(undefined);
      }
    }),
    { numRuns: 2000 },
  );
});

describe('options that contradict each other', () => {
  test.each([
    ['a: { load: replace, cursor: x }', '{}', ['a.cursor: means nothing with "load: replace"']],
    [
      'a: { load: replace, lookback: { column: d, days: 1 } }',
      '{}',
      ['a.lookback: means nothing with "load: replace"'],
    ],
    ['a: { load: replace, date: d }', '{}', ['a.date: means nothing with "load: replace"']],
    ['a: { lookback: { column: d, days: 1 } }', '{}', ['a.lookback: needs "cursor"']],
    [
      'a: { overlap: 1 h, null_cursor: skip }',
      '{}',
      ['a.overlap: needs "cursor"', 'a.null_cursor: needs "cursor"'],
    ],
    ['a: { first_run: 1 h }', '{}', ['a.first_run: needs "cursor" or "date"']],
    ['a: { date: d, cursor: c }', '{}', ['a.date: a stream goes by a cursor or by a date, not by both']],
    ['a: { date: d, load: merge }', '{}', ['a.load: "merge" does not go with "date"']],
    ['a: { load: delete-insert }', '{}', ['a.load: "delete-insert" needs "date"']],
    ['a: { load: delete-insert, cursor: c }', '{}', ['a.cursor: means nothing with "load: delete-insert"']],
    ['a: {}', '{ load: delete-insert }', ['a: load: "delete-insert" needs "date"']],
    ['"a*": { sql: select 1 }', '{}', ['a*.sql: belongs to one stream']],
    ['a: { load: append, deletes: remove }', '{}', ['a.deletes: needs "load: merge"']],
    [
      'a: { load: scd2, deletes: { how: remove } }',
      '{}',
      ['a.load: "scd2" needs a destination', 'a.deletes: versions of rows that are gone end'],
    ],
    ['a: { load: merge, deletes: { how: flag, at_most: 101 % } }', '{}', ['a.deletes']],
    ['a: {}', '{ load: replace, cursor: c }', ['defaults.cursor: means nothing with "load: replace"']],
  ])('%s with defaults %s', async (stream, defaults, expected) => {
    const found = await mistakes(withStream(stream, defaults));
    expect(found.map((line) => line.replace(/^\S+ pipelines\.p\.(?:streams\.)?/, ''))).toEqual(
      expected.map((start) => expect.stringMatching(new RegExp(`^${start.replace(/[*"]/g, '\\$&')}`))),
    );
  });

  test.each([
    ['a: { load: replace }', '{ load: merge, cursor: c, overlap: 1 h, first_run: 30 days }'],
    ['a: { lookback: { column: d, days: 1 } }', '{ cursor: c }'],
    ['a: { cursor: c }', '{ load: replace }'],
    ['a: { date: d, first_run: 30 days }', '{ load: merge, cursor: c }'],
    ['a: { date: d }', '{ load: delete-insert }'],
    ['a: { load: delete-insert }', '{ date: d }'],
    ['a: { load: merge }', '{ overlap: 5 minutes }'],
    ['a: { cursor: xmin, load: merge }', '{}'],
    ['a: { load: merge, cursor: c, deletes: { how: flag, at_most: 100 % } }', '{}'],
    ['a: { load: replace }', '{ load: merge, cursor: c, deletes: remove }'],
    ['a: { load: append, cursor: c, deletes: keep }', '{ deletes: flag }'],
  ])('%s over defaults %s is fine', async (stream, defaults) => {
    await expect(load(withStream(stream, defaults))).resolves.toBeDefined();
  });

  test('a table is named by letters, digits and _', async () => {
    expect(await mistakes(withStream('a: { table: my-table }'))).toEqual([
      expect.stringContaining('a.table: a table name is made of'),
    ]);
    await expect(load(withStream('a: { table: straße_2 }'))).resolves.toBeDefined();
  });

  test.each(['public.a?', 'public.[ab]', 'public.{a,b}', 'public.a%'])(
    '"%s" is no wildcard',
    async (name) => {
      expect(await mistakes(withStream(`"${name}": {}`))).toEqual([
        expect.stringContaining('is no wildcard here, only * is'),
      ]);
    },
  );
});

describe('the environment', () => {
  const text = (url: string, rest = ''): string =>
    `connections: { shop: { type: postgres, url: ${JSON.stringify(url)}${rest} } }\n`;

  test('fills placeholders, alone or inside a text', async () => {
    const { connections } = await load(text('postgres://${USER}:${PASSWORD:-none}@db/${NAME:-shop}'), {
      USER: 'app',
      NAME: '',
    });
    expect(connections['shop']?.['url']).toBe('postgres://app:none@db/shop');
  });

  test('$${ is a literal ${', async () => {
    const { pipelines } = await load(withStream('a: { where: "x = \'$${Y}\'" }'));
    expect(pipelines['p']?.streams['a']).toEqual({ where: "x = '${Y}'" });
  });

  test('numbers are read from it where numbers are wanted', async () => {
    const { connections } = await load(
      text('postgres://db/x', ', port: "${PORT}", connect_timeout: "${T}"'),
      { PORT: '6432', T: '5 s' },
    );
    expect(connections['shop']).toMatchObject({ port: 6432, connect_timeout: 5 });
  });

  test('every missing variable is a mistake, and only one', async () => {
    expect(await mistakes(text('${A}${B}', ', port: "${PORT}"'))).toEqual([
      '1:45 connections.shop.url: environment variable A is not set',
      '1:45 connections.shop.url: environment variable B is not set',
      '1:63 connections.shop.port: environment variable PORT is not set',
    ]);
  });

  test.each(['${', '${A', '${A B}', '${}', '${1A}', '${A:?x}', '${A:-${B}}'])(
    '%j is no placeholder',
    async (url) => {
      expect(await mistakes(text(url), { A: 'x' })).toEqual([
        expect.stringContaining('found a "${" that begins no placeholder'),
      ]);
    },
  );

  test('its values are never shown, nor is what an option marks as secret', async () => {
    const secret = 'hunter2-s3cr3t';
    const env = { SECRET: secret, HOST: `host-${secret}` };
    const texts = [
      text(`mysql://app:${secret}@db/x`),
      text(
        'mysql://app:${SECRET}@db/x',
        ', port: "${SECRET}", tls: "${SECRET}", connect_timeout: "${HOST}", bogus: "${SECRET}"',
      ),
      text('postgres://x', `, password: [${secret}], port: 0`),
      `connections: { "a": { type: "\${SECRET}" }, b: { type: lake, path: x, compression: "\${SECRET}", file_size: "\${SECRET}" } }\nmemory: "\${SECRET}"\nstate: "\${SECRET}"\n`,
      withStream(
        '"a": { load: "${SECRET}", cursor: [c, "${SECRET}", "${SECRET}"], types: { a: "${SECRET}" }, cursor_timezone: "${SECRET}" }',
      ),
      withStream('"a": "${SECRET}"').replace('from: shop', 'from: "${SECRET}"'),
      text(`\${A B} ${secret}`),
      `connections: { shop: { type: postgres, password: "${secret}, url: x } }\n`,
      `connections:\n  shop: { type: postgres, password: ${secret}: x }\n`,
      `connections:\n  shop: { type: postgres, password: x } ${secret}\n`,
      withStream('a: {}').replace('to: lake', `to: postgres://app:${secret}@db/shop`),
      `connections: { shop: { type: postgres, password: 4711471147, port: 4711471147 } }`,
    ];
    for (const project of texts) {
      const error = await failure(() => load(project, env));
      const told = JSON.stringify([error.message, error.details, error.remedy]);
      expect(told).not.toContain(secret);
      expect(told).not.toContain('4711471147');
    }
  });

  test('a secret is hidden in a message of the connector as well', async () => {
    const gossip = z
      .strictObject({ token: z.string().meta({ secret: true }), other: z.string() })
      .superRefine((value, context) => {
        context.addIssue(`${value.token} and ${value.other} do not match`);
      });
    const known = new Map<string, Connector>([['api', connector('api', gossip, 'source')]]);
    const project = 'connections: { a: { type: api, token: abcdef, other: "${OTHER}" } }\n';
    expect(await mistakes(project, { OTHER: 'ghijkl' }, known)).toEqual([
      '1:19 connections.a: *** and ${OTHER} do not match',
    ]);
  });
});

describe('a project as a program', () => {
  const define = pathToFileURL(join(dirname(import.meta.filename), 'define.ts')).href;
  const source = `import { defineProject, env, lake, postgres } from ${JSON.stringify(define)};
export default defineProject({
  connections: { shop: postgres({ url: env('SHOP_URL'), port: env('PORT', '5432') }), lake: lake({ path: './lake' }) },
  pipelines: { p: { from: 'shop', to: 'lake', streams: { 'public.orders': { cursor: 'updated_at', first_run: '30 days' }, '*': true } } },
  memory: '1 GiB',
});
`;

  test.each(['sluice.config.ts', 'sluice.config.mts', 'sluice.config.mjs', 'sluice.config.js'])(
    '%s is read',
    async (name) => {
      const directory = folder({ [name]: source, 'package.json': '{ "type": "module" }' });
      const project = await loadProject({ directory, env: { SHOP_URL: 'postgres://db/shop' }, connectors });
      expect(project).toMatchObject({
        directory,
        connections: { shop: { type: 'postgres', url: 'postgres://db/shop', port: 5432 } },
        pipelines: {
          p: { streams: { 'public.orders': { cursor: 'updated_at', first_run: 30 * DAY }, '*': {} } },
        },
        memoryBytes: 2 ** 30,
      });
    },
  );

  test('has its mistakes told at once too, without positions', async () => {
    const wrong = source
      .replace("from: 'shop'", "from: 'shpo'")
      .replace("cursor: 'updated_at'", "cursr: 'updated_at'");
    const directory = folder({ 'sluice.config.mjs': wrong });
    const error = await failure(() => loadProject({ directory, env: {}, connectors }));
    expect(error.message.split('\n').slice(1)).toEqual([
      '  connections.shop.url: environment variable SHOP_URL is not set',
      '  pipelines.p.from: there is no connection "shpo"; did you mean "shop"?',
      '  …streams.public.orders.cursr: unknown option; did you mean "cursor"?',
      '  …first_run: needs "cursor" or "date"',
    ]);
  });

  test.each([
    ['export const x = 1;\n', 'it has no default export'],
    ['export default () => ({});\n', 'its default export is a function, and not a project'],
    ['export default Promise.resolve({});\n', 'its default export is a promise, and not a project'],
    ["throw new Error('not today\\nat all');\n", 'not today(, at .*)?'],
    ["throw new Error('postgres://app:hunter2@db/x');\n", 'postgres://app@db/x(, at .*)?'],
  ])('%j cannot be read', async (text, found) => {
    const error = await failure(() =>
      loadProject({ directory: folder({ 'sluice.config.mjs': text }), connectors }),
    );
    expect([error.code, error.message]).toEqual([
      'config.unreadable',
      expect.stringMatching(new RegExp(`^reading .*: ${found}$`)),
    ]);
  });

  test.each([
    '5',
    "'text'",
    'new Date()',
    'null',
    '[]',
    '(() => { const a = {}; a.connections = a; return a; })()',
  ])('a default export of %s is refused', async (value) => {
    const directory = folder({ 'sluice.config.mjs': `export default ${value};\n` });
    expect((await failure(() => loadProject({ directory, connectors }))).code).toBe('config.invalid');
  });

  test('can be checked without a file', async () => {
    const definition = {
      connections: { lake: { type: 'lake', path: '${WHERE}' } },
      memory: '320 MiB' as const,
    };
    expect(parseProject(definition, { directory: '/srv', env: { WHERE: 'x' }, connectors })).toMatchObject({
      directory: '/srv',
      connections: { lake: { path: 'x' } },
      pipelines: {},
      memoryBytes: 320 * 2 ** 20,
    });
    expect(
      (await failure(() => parseProject(definition, { directory: '/srv', env: {}, connectors }))).message,
    ).toBe('the project has 1 mistake:\n  connections.lake.path: environment variable WHERE is not set');
  });
});
