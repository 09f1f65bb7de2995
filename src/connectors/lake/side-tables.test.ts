/** Tables of a lake change places, and whoever does it is killed at any change of a file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ObjectStorage } from '../../core/storage.ts';
import { openLocalStorage } from '../shared/local-storage.ts';
import { openTableLog } from './log.ts';
import { asideFolder, isDropped, LakeSideTables } from './side-tables.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const SIGNAL = new AbortController().signal;
const SCHEMA = { fields: [{ name: 'id', type: 'int32', nullable: false }], key: ['id'] };
const WIDER = { ...SCHEMA, fields: [...SCHEMA.fields, { name: 'v', type: 'utf8', nullable: true }] };

function at(folder: string, place: string): ObjectStorage {
  return openLocalStorage(place === '' ? folder : path.join(folder, asideFolder(place)));
}

/** Commits a table of two files of two versions of the columns; its checkpoint is called `name`. */
async function makeTable(storage: ObjectStorage, name: string): Promise<void> {
  const log = openTableLog(storage, 't');
  for (const [n, schema] of [SCHEMA, WIDER].entries()) {
    const key = `t/t_${name}-${n}_0.parquet`;
    await storage.put(key, new TextEncoder().encode(name + n));
    const add = [{ key, rows: 1, bytes: 5, partition: {}, schema: n }];
    const checkpoint = { cursor: [], watermark: name };
    const who = { kind: 'load', stream: 's', run: name, load: `${name}-${n}`, fence: 1 } as const;
    await log.append({ ...who, at: `${name}${n}`, slices: ['x'], add, remove: [], schema, checkpoint }, n);
  }
}

/** Whose rows and checkpoint a table has; undefined when there is none. */
async function holds(storage: ObjectStorage): Promise<string | undefined> {
  if (await isDropped(storage, 't')) return undefined;
  const state = (await openTableLog(storage, 't').read())!;
  const contents = state.files.map(({ key }) => readFileSync(storage.localPath(key), 'utf8'));
  const name = state.checkpoint?.watermark;
  if (name === undefined) return 'unfinished';
  expect(contents).toEqual([`${name}0`, `${name}1`]);
  const columns = state.files.map(({ schema }) => state.schemas[schema]!.schema.fields.length);
  expect(columns).toEqual([1, 2]);
  return name;
}

/** A storage whose process is killed before one of its changes. */
function dying(left: { changes: number }): (storage: ObjectStorage) => ObjectStorage {
  const changes = new Set(['put', 'putIfAbsent', 'upload', 'delete']);
  return (storage) =>
    new Proxy(storage, {
      get(target, name: keyof ObjectStorage) {
        const value: unknown = target[name];
        if (typeof value !== 'function') return value;
        const work = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
        if (!changes.has(name)) return work;
        return async (...args: unknown[]): Promise<unknown> => {
          if (left.changes-- > 0) return work(...args);
          throw new Error('killed');
        };
      },
    });
}

async function exchange(
  folder: string,
  wrap: (storage: ObjectStorage) => ObjectStorage,
  back = false,
): Promise<void> {
  const open = (place: string): ObjectStorage => at(folder, place);
  const tables = new LakeSideTables({
    storage: (place) => Promise.resolve(wrap(open(place))),
    destination: () => Promise.reject(new Error('nobody loads')),
  });
  const [from, to] = back ? (['former', 'shadow'] as const) : (['shadow', 'former'] as const);
  const version = async (place: string): Promise<number | undefined> =>
    (await openTableLog(open(place), 't').read())?.version;
  const versions = { from: (await version(from))!, readers: await version('') };
  const job = { tables: [{ table: 't', fence: 9, versions }], from, to, run: 'r' };
  await tables.exchange(job, SIGNAL);
}

it('is completed by the next call, wherever it was killed', async () => {
  let kills = 0;
  for (let changes = 0; kills === changes; changes++) {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-side-'));
    folders.push(folder);
    await makeTable(at(folder, ''), 'old');
    await makeTable(at(folder, 'shadow'), 'new');
    await exchange(folder, dying({ changes })).catch((error: unknown) => {
      expect(error).toMatchObject({ message: 'killed' });
      kills++;
    });
    const now = await holds(at(folder, ''));
    expect(['old', 'new']).toContain(now);
    if (await isDropped(at(folder, 'shadow'), 't')) expect(now).toBe('new');
    else await exchange(folder, (storage) => storage);
    expect(await holds(at(folder, ''))).toBe('new');
    expect(await holds(at(folder, 'former'))).toBe('old');
    if (kills > changes) continue;
    await exchange(folder, (storage) => storage, true);
    expect(await holds(at(folder, ''))).toBe('old');
    expect(await holds(at(folder, 'shadow'))).toBe('new');
  }
  expect(kills).toBeGreaterThan(10);
});
