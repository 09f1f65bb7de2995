import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, expectTypeOf, test } from 'vitest';
import * as api from '../../src/index.ts';
import type {
  AcceptedSchema,
  Connector,
  PipelinePlan,
  ProjectDefinition,
  RunEvent,
  RunReport,
  SchemaDiff,
  SchemaHistory,
  StreamSchema,
  VerifyReport,
} from '../../src/index.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { requireBuild, root } from '../support/build.ts';

const scratch = mkdtempSync(join(tmpdir(), 'sluice-types-'));
afterAll(() => rmSync(scratch, { recursive: true }));

test('the package exports these values and no others', () => {
  expect(Object.keys(api).toSorted()).toEqual([
    'AuthError',
    'Batch',
    'CancelledError',
    'Column',
    'ConfigError',
    'ConflictError',
    'DataError',
    'InternalError',
    'SchemaError',
    'SluiceError',
    'TransientError',
    'custom',
    'defineProject',
    'diagnose',
    'duckdb',
    'dump',
    'env',
    'files',
    'generate',
    'lake',
    'mysql',
    'openCatalog',
    'plan',
    'postgres',
    'quarantine',
    'repair',
    'rest',
    'run',
    'schema',
    'serveApi',
    'shadow',
    'singer',
    'singerMessages',
    'verify',
  ]);
});

test('a project is what defineProject makes of it, or a path', () => {
  const project = api.defineProject({
    connections: { shop: api.postgres({ url: api.env('SHOP_URL') }), lake: api.lake({ path: './lake' }) },
    pipelines: { shop_to_lake: { from: 'shop', to: 'lake', streams: { orders: { cursor: 'updated_at' } } } },
  });
  expectTypeOf(project).toEqualTypeOf<ProjectDefinition<'shop' | 'lake', 'shop_to_lake'>>();
  expectTypeOf(api.run).parameter(0).toEqualTypeOf<ProjectDefinition | string>();
  expectTypeOf(api.run).returns.resolves.toEqualTypeOf<RunReport>();
  expectTypeOf(api.verify).returns.resolves.toEqualTypeOf<VerifyReport>();
  expectTypeOf(api.plan).returns.resolves.toEqualTypeOf<PipelinePlan>();
  type Schema = typeof api.schema;
  expectTypeOf<Schema['show']>().returns.resolves.toEqualTypeOf<StreamSchema[]>();
  expectTypeOf<Schema['diff']>().returns.resolves.toEqualTypeOf<SchemaDiff[]>();
  expectTypeOf<Schema['history']>().returns.resolves.toEqualTypeOf<SchemaHistory[]>();
  expectTypeOf<Schema['accept']>().returns.resolves.toEqualTypeOf<AcceptedSchema>();
});

test('every connector has a function that makes its connections', async () => {
  const { custom, dump, duckdb, files, lake, mysql, postgres, rest, singer, singerMessages } = api;
  const path = { path: 'x' };
  const records = rest({ url: 'https://x.test', endpoints: { t: '/t' } });
  const databases = [postgres({}), mysql({}), dump(path), files(path), duckdb(path)];
  const own = custom({ streams: { t: { records: () => [] } } });
  const taps = [singer({ command: 'tap-x' }), singerMessages()];
  const made = [...databases, records, ...taps, own, lake(path)];
  expect(made.map(({ type }) => type)).toEqual([...(await connectors()).keys()]);
});

test('pipelines are run by the names that they have', () => {
  const project = api.defineProject({
    connections: { in: api.files({ path: './landing' }), out: api.lake({ path: './lake' }) },
    pipelines: { nightly: { from: 'in', to: 'out', streams: {} } },
  });
  const calls = [
    () => api.run(project, 'nightly'),
    () => api.run('./sluice.yaml', process.title),
    // @ts-expect-error -- there is no such pipeline
    () => api.run(project, 'nightyl'),
    // @ts-expect-error -- there is no such pipeline
    () => api.quarantine.list(project, 'nightyl'),
  ];
  expect(calls).toHaveLength(4);
});

test('mistakes in a project are type errors', () => {
  const connections = { shop: api.postgres({ url: 'postgres://db' }), lake: api.lake({ path: './lake' }) };
  api.defineProject({
    connections,
    // @ts-expect-error -- there is no such connection
    pipelines: { p: { from: 'shopp', to: 'lake', streams: {} } },
  });
  api.defineProject({
    connections,
    // @ts-expect-error -- there is no such policy
    pipelines: { p: { from: 'shop', to: 'lake', streams: { orders: { schema: 'frozen' } } } },
  });
  api.defineProject({
    connections,
    // @ts-expect-error -- there is no such strategy
    pipelines: { p: { from: 'shop', to: 'lake', streams: { orders: { load: 'upsert' } } } },
  });
  // @ts-expect-error -- a lake is somewhere
  api.lake({});
});

test('events are told apart by their kind', () => {
  const listener = (event: RunEvent): number => (event.kind === 'slice-committed' ? event.loaded : 0);
  expectTypeOf(listener).toExtend<NonNullable<Parameters<typeof api.run>[2]>['onEvent']>();
});

test("a connector of one's own, with options of its own, is taken", () => {
  interface MyOptions {
    host: string;
  }
  const mine = {} as Connector<MyOptions>;
  const options: Parameters<typeof api.run>[2] = { connectors: [mine] };
  expect(options.connectors).toHaveLength(1);
});

test('errors can be told apart by what can be done about them', () => {
  const error: unknown = new api.TransientError('reading', { code: 'x', retryAfterMs: 5 });
  if (!(error instanceof api.SluiceError)) throw new Error('it is one');
  expectTypeOf(error.recovery).toEqualTypeOf<api.SluiceError['recovery']>();
  expect(error.recovery).toBe('transient');
});

test('examples in doc comments and documents compile', () => {
  requireBuild();
  const files = [
    ...globSync('src/*.ts', { cwd: root }),
    ...globSync('{README.md,docs/**/*.md}', { cwd: root }),
  ];
  const examples = files.flatMap((file) => examplesIn(file, readFileSync(join(root, file), 'utf8')));
  // The doc comments of run, plan, diagnose, verify, shadow, repair, quarantine, schema and openCatalog have one each.
  expect(examples.filter(({ file }) => file === 'src/library.ts')).toHaveLength(9);
  mkdirSync(join(scratch, 'examples'));
  for (const [index, { file, code }] of examples.entries()) {
    const name = `${index}-${file.replaceAll(/[^\w]+/g, '-')}.mts`;
    writeFileSync(join(scratch, 'examples', name), code);
  }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      declaration: false,
      isolatedDeclarations: false,
      noUnusedLocals: false,
      typeRoots: [join(root, 'node_modules/@types')],
      // As users see it: the declarations alone, not the sources once more.
      paths: { sluice: [join(root, 'dist/index.d.ts')] },
    },
    include: ['examples'],
  };
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(tsc, ['-p', scratch], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});

/** Blocks of TypeScript that import the package. */
function examplesIn(file: string, text: string): { file: string; code: string }[] {
  const plain = file.endsWith('.ts') ? text.replaceAll(/^ \* ?/gm, '') : text;
  const blocks = [...plain.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code);
  return blocks.filter((code) => code.includes(`from 'sluice'`)).map((code) => ({ file, code }));
}
