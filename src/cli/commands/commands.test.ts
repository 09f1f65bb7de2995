import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadProject } from '../../config/load-project.ts';
import { connectors } from '../../connectors/registry.ts';
import type { Destination } from '../../core/destination.ts';
import { AuthError, TransientError } from '../../core/errors.ts';
import type { Project } from '../../core/project.ts';
import type { Source, StreamInfo } from '../../core/source.ts';
import type { DemoReport } from '../../demo/demo.ts';
import type { RunOptions } from '../../engine/types.ts';
import { fakeConnectors, runReport, runWith } from '../fakes.fixture.ts';
import type { Services } from '../services.ts';

let closed = 0;

function source(overrides: Partial<Source> = {}): Promise<Source> {
  return Promise.resolve({
    check: () => Promise.resolve({ title: 'PostgreSQL 18.4, 127.0.0.1/shop', warnings: [] }),
    discover: () => Promise.resolve(STREAMS),
    open: () => Promise.reject(new Error('not here')),
    close: () => {
      closed += 1;
      return Promise.resolve();
    },
    ...overrides,
  });
}

function info(name: string, overrides: Partial<StreamInfo> = {}): StreamInfo {
  return {
    name,
    kind: 'table',
    schema: {
      fields: [{ name: 'id', type: { kind: 'int64' }, nullable: false, native: 'bigint' }],
      key: ['id'],
    },
    estimatedRows: 38_100,
    bytes: 4_000_000,
    cursors: [{ column: 'updated_at', type: 'timestamptz', indexed: true, reason: 'default now()' }],
    proposal: { load: 'merge', cursor: ['updated_at'] },
    notes: [],
    ...overrides,
  };
}

const STREAMS: StreamInfo[] = [
  info('public.orders', {
    proposal: { load: 'merge', cursor: ['updated_at'], partition_by: { column: 'order_date', by: 'day' } },
  }),
  info('public.country_eu', {
    schema: { fields: [], key: [] },
    estimatedRows: undefined,
    bytes: undefined,
    cursors: [],
    proposal: { load: 'replace' },
    notes: ['has no key'],
  }),
  info('public.totals', { kind: 'view' }),
];

beforeEach(() => {
  closed = 0;
});

describe('discover', () => {
  it('lists what each source has', async () => {
    const { code, out } = await runWith(['discover'], { openSource: () => source() });
    expect(code).toBe(0);
    expect(closed).toBe(1);
    expect(out).toBe(`\
shop   3 streams

  stream                 ~rows   size   key    cursors       proposal
  public.orders          38.1K   4 MB   id     updated_at*   merge by updated_at in folders by day of order_date
  public.country_eu          ?          none   none          replace
  public.totals (view)   38.1K   4 MB   id     updated_at*   merge by updated_at

  ! public.country_eu: has no key
`);
  });

  it('takes names, wildcards and tables, and a URL instead of a project', async () => {
    const opened: Project[] = [];
    const { out } = await runWith(
      ['discover', 'postgres://app@db/shop', '-t', 'orders,public.tot*', '--json'],
      {
        openProject: () => Promise.reject(new Error('no project is needed')),
        openSource: ({ project }) => {
          opened.push(project);
          return source();
        },
      },
    );
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; columns: unknown });
    expect(lines.map(({ name }) => name)).toEqual(['public.orders', 'public.totals']);
    expect(lines[0]).toMatchObject({
      connection: 'postgres',
      key: ['id'],
      columns: [{ name: 'id', type: 'int64', native: 'bigint', nullable: false }],
    });
    expect(opened[0]?.connections['postgres']).toMatchObject({
      type: 'postgres',
      url: 'postgres://app@db/shop',
    });
  });

  it('refuses what cannot be read', async () => {
    expect(await runWith(['discover', 'lake'], {})).toMatchObject({
      code: 2,
      err: '✗ "lake": cannot be used as a source\n',
    });
    expect(await runWith(['discover', 'shp'], {})).toMatchObject({
      code: 2,
      err: '✗ "shp": unknown connection; did you mean "shop"?\n',
    });
    expect((await runWith(['discover', 'mysql://a:s3cret@b/c'], {})).err).toBe(
      '✗ "mysql://a@b/c" is nothing that sluice knows as a source\n  known are: postgres (PostgreSQL)\n',
    );
  });

  it('closes the source when it fails', async () => {
    const failing = source({ discover: () => Promise.reject(new AuthError('no', { code: 'x' })) });
    expect((await runWith(['discover'], { openSource: () => failing })).code).toBe(6);
    expect(closed).toBe(1);
  });
});

describe('check', () => {
  const destination = (check: Destination['check']): Promise<Destination> =>
    Promise.resolve({
      check,
      describe: () => Promise.resolve(undefined),
      openTable: () => Promise.reject(new Error('not here')),
      close: () => Promise.resolve(),
    });

  it('checks every connection and shows its warnings', async () => {
    const warnings = [
      { code: 'x', message: 'the role sees no sessions', remedy: 'GRANT pg_read_all_stats TO app' },
    ];
    const { code, out } = await runWith(['check'], {
      openSource: () => source({ check: () => Promise.resolve({ title: 'PostgreSQL 18.4', warnings }) }),
      openDestination: () => destination(() => Promise.resolve({ title: './lake' })),
    });
    expect(code).toBe(0);
    expect(out.replaceAll(/\d+ ms|\d s/g, 'TIME')).toBe(
      '✓ shop   PostgreSQL 18.4   TIME\n  ! the role sees no sessions\n    GRANT pg_read_all_stats TO app\n✓ lake   ./lake   TIME\n',
    );
  });

  it('shows what works when something does not', async () => {
    const refused = new TransientError('connecting to "shop": connection refused', {
      code: 'x',
      remedy: 'is it up?',
    });
    const services = {
      openSource: () => Promise.reject(refused),
      openDestination: () => destination(() => Promise.resolve({ title: './lake' })),
    };
    const text = await runWith(['check'], services);
    expect(text.code).toBe(6);
    expect(text.out).toMatch(/^✗ connecting to "shop": connection refused\n {2}is it up\?\n✓ lake/);
    expect((await runWith(['check', 'shop'], services)).code).toBe(6);
    const { out } = await runWith(['check', 'shop', '--json'], services);
    expect(JSON.parse(out)).toMatchObject({
      connection: 'shop',
      ok: false,
      error: { recovery: 'transient', remedy: 'is it up?' },
    });
  });
});

describe('copy', () => {
  async function copied(
    ...args: string[]
  ): Promise<{ project: Project; options: RunOptions; code: number; err: string }> {
    let project: Project | undefined;
    let options: RunOptions = {};
    const { code, err } = await runWith(['copy', ...args], {
      run: (context, pipeline, given) => {
        expect(pipeline).toBe('copy');
        project = context.project;
        options = given;
        return Promise.resolve(runReport({ pipeline }));
      },
    });
    return { project: project as Project, options, code, err };
  }

  it('makes a project of two URLs', async () => {
    const { project, code } = await copied('postgres://app@db/shop', './lake', '--table', 'public.orders');
    expect(code).toBe(0);
    expect(project.connections['source']).toMatchObject({ type: 'postgres', url: 'postgres://app@db/shop' });
    expect(project.connections['destination']).toMatchObject({ type: 'lake', path: './lake' });
    expect(project.state).toEqual({ type: 'lake', connection: 'destination' });
    expect(project.pipelines).toEqual({
      copy: { from: 'source', to: 'destination', streams: { 'public.orders': {} } },
    });
  });

  it('takes everything without --table, and passes the options on', async () => {
    const { project, options } = await copied(
      'postgres://app@db/shop',
      './lake',
      '--cursor',
      'a',
      '--cursor',
      'b',
      '--key',
      'id',
      '--load',
      'merge',
      '--where',
      "x = '${y}'",
      '--partition-by',
      'order:date:day',
      '--workers',
      '2',
      '--memory',
      '256 MiB',
      '--full-refresh',
    );
    expect(project.pipelines['copy']?.streams).toEqual({
      '*': {
        cursor: ['a', 'b'],
        key: ['id'],
        load: 'merge',
        where: "x = '${y}'",
        partition_by: { column: 'order:date', by: 'day' },
      },
    });
    expect(options).toMatchObject({ workers: 2, memoryBytes: 256 * 2 ** 20, fullRefresh: true });
  });

  it('copies the result of a query', async () => {
    const { project } = await copied(
      'postgres://app@db/shop',
      './lake',
      '--sql',
      'select 1 as x, 2',
      '--name',
      'large_orders',
    );
    expect(project.pipelines['copy']?.streams).toEqual({ large_orders: { sql: 'select 1 as x, 2' } });
  });

  it.each([
    [['--sql', 'select 1'], '--sql needs --name'],
    [['--sql', 'select 1', '--name', 'x', '--table', 'y'], '--sql and --table exclude each other'],
    [['--name', 'x'], '--name goes with --sql or with one --table'],
    [['--load', 'upsert'], '--load: "upsert" is none of append, merge, replace, delete-insert, scd2'],
    [['--partition-by', 'day'], '--partition-by: "day" has no unit'],
    [['--load', 'replace', '--cursor', 'a'], 'means nothing with "load: replace"'],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await copied('postgres://app@db/shop', './lake', ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('sql', () => {
  it('prints one script after the other', async () => {
    const { code, out } = await runWith(
      ['sql', 'updated-at-trigger', 'a', 'public."B"', '--column', 'changed', '--no-index'],
      {},
    );
    expect(code).toBe(0);
    expect(out.match(/^CREATE TRIGGER .*$/gm)).toEqual([
      'CREATE TRIGGER "sluice_touch_changed" BEFORE INSERT OR UPDATE ON "public"."a"',
      'CREATE TRIGGER "sluice_touch_changed" BEFORE INSERT OR UPDATE ON "public"."B"',
    ]);
  });

  it('prints nothing when one of them is wrong', async () => {
    expect(await runWith(['sql', 'updated-at-trigger', 'a', 'b.c.d'], {})).toMatchObject({
      code: 2,
      out: '',
    });
  });
});

describe('init', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-init-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  });
  const services = { openSource: () => source(), env: { SHOP_URL: 'postgres://app:s3cret@db/shop' } };

  it('asks what it needs to know and writes a project that loads', async () => {
    const { code, out, err } = await runWith(['init', '-C', folder], services, [
      '$SHOP_URL',
      '',
      '1, public.country*',
    ]);
    expect(err).toContain('connected to PostgreSQL 18.4, 127.0.0.1/shop: 3 streams\n');
    expect(err).toContain('  3   public.totals       38.1K   view\n');
    expect(code).toBe(0);
    expect(out).toBe(
      `✓ ${folder}/sluice.yaml   shop_to_lake, 2 streams\n  next: sluice plan -C ${folder}, then sluice run -C ${folder}\n`,
    );
    const project = await loadProject({ directory: folder, env: services.env, connectors: fakeConnectors() });
    expect(Object.keys(project.pipelines['shop_to_lake']?.streams ?? {})).toEqual([
      'public.orders',
      'public.country_eu',
    ]);
  });

  it('takes flags instead, leaves views out, and keeps passwords out of the file', async () => {
    const { code, out, err } = await runWith(
      ['init', '-C', folder, '--from', 'postgres://app:s3cret@db/shop', '--to', './data', '--yes'],
      services,
    );
    expect(code).toBe(0);
    const text = await readFile(join(folder, 'sluice.yaml'), 'utf8');
    expect(text).toContain('${SHOP_URL}');
    expect(text).toContain('path: ./data');
    expect(text).not.toContain('public.totals');
    expect(text + out + err).not.toContain('s3cret');
    expect(out).toContain("export SHOP_URL='…'");
  });

  it('writes the connector that the URL is of', async () => {
    const env = { SHOP_URL: 'mariadb://app:s3cret@db/shop' };
    await runWith(['init', '-C', folder, '--from', 'SHOP_URL', '--yes'], {
      ...services,
      env,
      connectors,
    });
    const text = await readFile(join(folder, 'sluice.yaml'), 'utf8');
    expect(text).toContain(
      "#   export SHOP_URL='mysql://user:PASSWORD@host/database'\n  shop: { type: mysql, url: ",
    );
  });

  it.each([
    ['daily/t_*.csv.gz', 't'],
    ['', 'a'],
  ])('begins with files as well: %s', async (files, name) => {
    await mkdir(join(folder, 'landing/daily'), { recursive: true });
    const landed = info('a_[[]*.csv', {
      kind: 'files',
      proposal: { load: 'append', files: 'a_[[]*.csv' },
    });
    const { code, out } = await runWith(
      ['init', '-C', join(folder, 'project'), '--from', join(folder, 'landing', files), '--yes'],
      {
        connectors,
        openSource: () => source({ discover: () => Promise.resolve([landed]) }),
      },
    );
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('_to_lake, 1 stream\n') });
    const project = await loadProject({
      directory: join(folder, 'project'),
      env: {},
      connectors: await connectors(),
    });
    const [pipeline] = Object.values(project.pipelines);
    expect(project.connections[pipeline!.from]).toMatchObject({
      type: 'files',
      path: join(folder, 'landing', files === '' ? '' : 'daily'),
    });
    expect(pipeline!.streams).toMatchObject({
      [name]: { files: files === '' ? 'a_[[]*.csv' : 't_*.csv.gz' },
    });
  });

  it('writes TypeScript that says the same', async () => {
    await runWith(['init', '-C', folder, '--from', 'SHOP_URL', '--typescript', '--yes'], services);
    expect(await readFile(join(folder, 'sluice.config.ts'), 'utf8')).toBe(`\
import { defineProject, env, lake, postgres } from 'sluice';

export default defineProject({
  connections: {
    shop: postgres({ url: env('SHOP_URL') }),
    lake: lake({ path: './lake' }),
  },
  pipelines: {
    shop_to_lake: {
      from: 'shop',
      to: 'lake',
      streams: {
        'public.orders': { load: 'merge', cursor: 'updated_at', partition_by: { column: 'order_date', by: 'day' } },
        'public.country_eu': { load: 'replace' },
      },
    },
  },
});
`);
  });

  it('never overwrites without being told to', async () => {
    await writeFile(join(folder, 'sluice.yaml'), 'mine');
    const args = ['init', '-C', folder, '--from', '$SHOP_URL', '--yes'];
    expect(await runWith(args, services)).toMatchObject({
      code: 2,
      err: `✗ ${folder}/sluice.yaml is already there\n  --force replaces it\n`,
    });
    expect(await readFile(join(folder, 'sluice.yaml'), 'utf8')).toBe('mine');
    expect((await runWith([...args, '--typescript', '--force'], services)).err).toContain(
      'a folder holds one project',
    );
    expect((await runWith([...args, '--force'], services)).code).toBe(0);
  });

  it('says why the file cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    const { code, err } = await runWith(
      ['init', '-C', join(folder, 'file/below'), '--from', '$SHOP_URL', '--yes'],
      services,
    );
    expect(code).toBe(2);
    expect(err).toMatch(/\n✗ writing .*sluice\.yaml: ENOTDIR/);
  });

  it.each([
    [[], 'nobody is here to say where the data is'],
    [['--from', '$NOWHERE'], 'environment variable NOWHERE is not set'],
    [['--from', '$SHOP_URL', '--table', 'public.orders,x*'], 'the source has no stream "x*"'],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await runWith(['init', '-C', folder, ...args], services);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('demo', () => {
  const report: DemoReport = {
    kind: 'demo',
    equal: true,
    seconds: 1,
    folder: undefined,
    rows: 10,
    day: { inserted: 0, updated: 0, deleted: 0, rolledBack: 0, lateCommits: 0 },
    loads: [],
    tables: [],
  };

  it('passes the flags on and prints the report for programs', async () => {
    const demo = vi.fn<Services['demo']>(() => Promise.resolve(report));
    const { code, out } = await runWith(
      ['demo', '--rows', '500', '--quick', '--directory', './d', '--json'],
      { demo },
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ kind: 'demo', equal: true });
    expect(demo.mock.calls[0]?.[0]).toMatchObject({
      rows: 500,
      quick: true,
      keep: false,
      directory: './d',
      json: true,
    });
  });

  it('fails when the lake is not what the shop is', async () => {
    const demo = (): Promise<DemoReport> => Promise.resolve({ ...report, equal: false });
    expect(await runWith(['demo'], { demo })).toMatchObject({ code: 4, out: '' });
    expect(await runWith(['demo', '--rows', 'x'], { demo })).toMatchObject({ code: 2 });
  });
});
