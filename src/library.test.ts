import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectors } from './connectors/registry.ts';
import {
  type Connector,
  defineProject,
  env,
  lake,
  openCatalog,
  plan,
  postgres,
  run,
  verify,
} from './index.ts';
import { type PostgresServer, startPostgres } from './testing/postgres-server.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'sluice-library-'));
let server: PostgresServer;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase('things');
  const client = new pg.Client(url);
  await client.connect();
  await client.query('create table things as select n from generate_series(1, 10) n');
  await client.end();
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const YAML = `
connections:
  db: { type: postgres, url: "\${THINGS_URL}" }
  lake: { type: lake, path: ./lake }
pipelines:
  p: { from: db, to: lake, streams: { things: { load: replace } } }`;

function folder(name: string): string {
  const made = path.join(scratch, name);
  mkdirSync(made);
  return made;
}

test('a project is named by its file or by the folder that it is in, and its paths start there', async () => {
  const directory = folder('by-path');
  const file = path.join(directory, 'sluice.yaml');
  writeFileSync(file, YAML);
  const options = { env: { THINGS_URL: url } };
  const planned = await plan(file, 'p', options);
  expect(planned.streams.map(({ action, estimatedRows }) => ({ action, estimatedRows }))).toMatchObject([
    { action: 'first-load' },
  ]);
  expect(await run(directory, 'p', options)).toMatchObject({
    status: 'succeeded',
    streams: [{ totals: { loaded: 10 } }],
  });
  expect(await verify(directory, 'p', options)).toMatchObject({
    status: 'equal',
    streams: [{ rows: { source: 10, target: 10 } }],
  });
  const catalog = await openCatalog(path.join(directory, 'lake'));
  expect(await catalog.tables()).toMatchObject([{ name: 'things', rows: 10 }]);
  await catalog.close();
});

test('paths of a project made in the program start from the directory that is given', async () => {
  const directory = folder('defined');
  const project = defineProject({
    connections: { db: postgres({ url: env('THINGS_URL') }), lake: lake({ path: 'here' }) },
    pipelines: { p: { from: 'db', to: 'lake', streams: { things: { load: 'replace' } } } },
  });
  const options = { directory, env: { THINGS_URL: url } };
  expect(await run(project, 'p', options)).toMatchObject({ status: 'succeeded' });
  const catalog = await openCatalog(lake({ path: 'here' }), { directory });
  expect(await catalog.tables()).toMatchObject([{ rows: 10 }]);
  await catalog.close();
});

test('connectors of the program are used beside the built-in ones', async () => {
  const directory = folder('own');
  const builtIn = (await connectors()).get('postgres')!;
  const opened: string[] = [];
  const mine: Connector = {
    ...builtIn,
    name: 'mine',
    openSource: (options, context) => {
      opened.push(context.name);
      return builtIn.openSource!(options, context);
    },
  };
  const project = defineProject({
    connections: { db: { type: 'mine', url }, lake: lake({ path: './lake' }) },
    pipelines: { p: { from: 'db', to: 'lake', streams: { things: { load: 'replace' } } } },
  });
  expect(await run(project, 'p', { directory, connectors: [mine] })).toMatchObject({ status: 'succeeded' });
  expect(opened).toEqual(['db']);
});

test('a stream that fails is told by the report, what is wrong with the project by an error', async () => {
  const directory = folder('wrong');
  const project = defineProject({
    connections: { db: postgres({ url }), lake: lake({ path: './lake' }) },
    pipelines: { p: { from: 'db', to: 'lake', streams: { nothing: { load: 'replace' } } } },
  });
  expect(await run(project, 'p', { directory })).toMatchObject({
    status: 'failed',
    streams: [{ error: { code: 'postgres.no_table' } }],
  });
  await expect(run(project, 'q' as 'p', { directory })).rejects.toMatchObject({ code: 'config.no_pipeline' });
  const mistaken = { ...project, connections: { db: postgres({ url }), lake: { type: 'lake' } } };
  await expect(plan(mistaken, 'p', { directory })).rejects.toMatchObject({ code: 'config.invalid' });
  await expect(run(path.join(directory, 'sluice.yaml'), 'p')).rejects.toMatchObject({
    code: 'config.unreadable',
  });
});

test('a catalog is opened at a path as it stands, and nowhere else', async () => {
  const directory = folder('${HOME}');
  writeFileSync(path.join(directory, 'sluice.yaml'), YAML);
  await run(directory, 'p', { env: { THINGS_URL: url } });
  const catalog = await openCatalog(path.join(directory, 'lake'));
  expect(await catalog.tables()).toMatchObject([{ rows: 10 }]);
  await catalog.close();
  await expect(openCatalog('mongodb://somewhere')).rejects.toMatchObject({ code: 'catalog.no_lake' });
});
