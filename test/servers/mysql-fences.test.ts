/** A run that stands still, as on a machine that sleeps, holds nobody up who has taken its table over, and cannot commit. */
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../src/core/destination.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { load, openWriter, schemaOf, stage } from '../../src/testing/kit-load.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { FAST, openMysql } from '../support/mysql-kit.ts';
import { readMysql } from '../support/mysql-reader.ts';

const server = useMariadb({ settings: FAST });
const schema = schemaOf('id int32, v utf8');
const OLD: Cell[][] = [['1', 'old']];
const NEW: Cell[][] = [['1', 'new']];
const WAYS = [
  { kind: 'nothing' as const },
  { kind: 'key' as const, key: ['id'] },
  { kind: 'everything' as const },
];

async function withTwo(
  work: (first: Destination, second: Destination, url: string) => Promise<void>,
): Promise<void> {
  const url = await server().createDatabase(`fences_${Math.random().toString(36).slice(2)}`);
  const both = [await openMysql(url), await openMysql(url)] as const;
  try {
    await work(...both, url);
  } finally {
    await Promise.all(both.map((each) => each.close()));
  }
}

describe.runIf(mariadbPresent)('a newer lease on a table of MariaDB', () => {
  it.each(WAYS)('shuts out who has staged rows: $kind', (supersede) =>
    withTwo(async (first, second, url) => {
      const sleeper = await openWriter(first, 't', { schema, history: undefined, fence: 1 });
      const staged = await stage(sleeper, { schema, rows: OLD, supersede });
      const started = performance.now();
      const heir = await openWriter(second, 't', { schema, history: undefined, fence: 2 });
      await heir.commit([await stage(heir, { schema, rows: NEW, supersede })], supersede, { cursor: [] });
      expect(performance.now() - started).toBeLessThan(10_000);
      await expect(sleeper.commit([staged], supersede, { cursor: [] })).rejects.toMatchObject({
        code: 'sql.fenced',
      });
      const reader = await session(url);
      expect((await readMysql(reader, 't'))!.rows).toEqual(NEW);
      await reader.end();
      await Promise.all([sleeper.close(), heir.close()]);
    }),
  );

  it('leaves alone who has a newer one still', () =>
    withTwo(async (first, second) => {
      await load(first, 't', { schema, rows: OLD, fence: 1 });
      const newer = await openWriter(first, 't', { schema, fence: 3, expectedVersion: 1 });
      const staged = await stage(newer, { schema, rows: NEW });
      await openWriter(second, 't', { schema, fence: 2, expectedVersion: 1 });
      await newer.commit([staged], { kind: 'nothing' }, { cursor: [] });
      await newer.close();
    }));
});
