/** Where the state is in a bucket, records that do not fit are there as well, for every machine. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openS3Storage } from '../../src/connectors/shared/s3/s3-storage.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import { type ProjectDefinition, quarantine, run } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';
import { motoPresent, useMoto } from '../support/moto.ts';

const moto = useMoto();

describe.runIf(motoPresent)('quarantine in a bucket', () => {
  it('is read, loaded again and given up by another machine than the one that has put aside', async () => {
    const stream: StreamOptions = { files: '*.csv', types: { id: 'int64', day: 'date' } };
    await using one = new FileLake(stream);
    await using other = new FileLake(stream);
    const project: ProjectDefinition = {
      ...one.project,
      connections: {
        ...one.project.connections,
        lake: { type: 'lake', path: 's3://lake/shared', endpoint: moto().endpoint, region: 'us-east-1' },
      },
      state: { type: 'lake', connection: 'lake' },
    };
    const there = { directory: other.folder };
    one.write('a.csv', 'id,day\n1,2026-01-01\n2,01.02.2026\n3,never\n');
    const put = await run(project, 'p', { directory: one.folder });
    expect(put.streams[0]).toMatchObject({ totals: { loaded: 1, quarantined: 2 } });
    expect(existsSync(path.join(one.folder, '.sluice', 'quarantine'))).toBe(false);
    expect(await keys()).toHaveLength(1);

    const found = await Array.fromAsync(quarantine.read(project, 'p', there));
    expect(found.map(({ file, line, raw }) => [file, line, raw])).toEqual([
      ['a.csv', 3, '2,01.02.2026'],
      ['a.csv', 4, '3,never'],
    ]);
    const [listed] = await quarantine.list(project, 'p', there);
    expect(listed).toMatchObject({ rows: 2, files: 1, missing: false });

    // One of the two fits now.
    const nulls: ProjectDefinition = {
      ...project,
      pipelines: {
        p: {
          ...project.pipelines!['p']!,
          streams: { t: { ...stream, files: { path: '*.csv', null: 'never' } } },
        },
      },
    };
    const again = await quarantine.replay(nulls, 'p', there);
    expect(again!.streams[0]).toMatchObject({ totals: { rows: 2, loaded: 1, quarantined: 1 } });
    // What was read again is gone, and what still does not fit has a file of its own.
    expect(await keys()).toHaveLength(1);
    expect(await quarantine.list(project, 'p', { directory: one.folder })).toMatchObject([{ rows: 1 }]);
    expect(await quarantine.drop(project, 'p', there)).toBe(1);
    expect(await keys()).toEqual([]);
  });

  it('is swept of what no commit names, and of nothing that another system of the same name has', async () => {
    await using one = new FileLake({ files: '*.csv', types: { id: 'int64' } });
    await using other = new FileLake({ files: '*.csv', types: { id: 'int64' } });
    const projectOf = ({ project }: FileLake, target: string): ProjectDefinition => ({
      connections: {
        files: project.connections['files']!,
        target: { type: 'duckdb', path: target },
        state: { type: 'lake', path: 's3://lake/swept', endpoint: moto().endpoint, region: 'us-east-1' },
      },
      pipelines: { p: { from: 'files', to: 'target', streams: { t: one.stream } } },
      state: { type: 'lake', connection: 'state' },
    });
    const load = async (pair: FileLake, target: string, name: string): Promise<void> => {
      pair.write(name, 'id\n1\nx\n');
      await run(projectOf(pair, target), 'p', { directory: pair.folder });
    };
    await load(one, './one.duckdb', 'a.csv');
    const [first] = await keys('swept');
    await load(other, './other.duckdb', 'a.csv');
    expect(await keys('swept')).toHaveLength(2);
    // A process that died before its commit.
    const storage = await bucket('swept');
    await storage.put(first!.replace(/[^/]+$/, 'left-behind.parquet'), Buffer.from('x'));
    await load(one, './one.duckdb', 'b.csv');
    expect(await keys('swept')).toHaveLength(3);
    expect((await keys('swept')).filter((key) => key.includes('left-behind'))).toEqual([]);
    const read = quarantine.read(projectOf(other, './other.duckdb'), 'p', { directory: other.folder });
    expect(await Array.fromAsync(read)).toHaveLength(1);
  });
});

async function bucket(prefix: string): ReturnType<typeof openS3Storage> {
  return openS3Storage({
    bucket: 'lake',
    prefix,
    endpoint: moto().endpoint,
    region: 'us-east-1',
    profile: undefined,
    forcePathStyle: true,
    cache: { folder: '/nonexistent', bytes: 0 },
  });
}

async function keys(prefix: string = 'shared'): Promise<string[]> {
  return (await (await bucket(prefix)).list('_sluice/quarantine/')).map(({ key }) => key);
}
