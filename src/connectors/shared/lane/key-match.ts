/** Finds the rows of a table that have the keys of new rows, with memory for a part of the keys, however many there are. */
import type { Session } from '../../../duckdb/session.ts';
import { HASH, hashParts, partsFor } from './hash-split.ts';
import { FILE_NUMBER, type Matched, type MatchTask, ROW_NUMBER } from './lane-protocol.ts';
import { ParquetWriter } from './parquet-writer.ts';
import { queryRowBytes } from './row-groups.ts';

/** A hash, or the place of a row. */
const BESIDE_KEY_BYTES = 16;

export async function matchKeys(session: Session, task: MatchTask): Promise<Matched> {
  const rowBytes = (await queryRowBytes(session, task.keys)) + BESIDE_KEY_BYTES;
  const writer = new ParquetWriter(session, task.files, rowBytes);
  const write = (query: string): Promise<string> => writer.writeScratch(query, false);
  const hashed = (query: string): string => `SELECT *, ${task.hash} AS ${HASH} FROM (${query})`;
  // Without a table there are only the new rows to look at.
  const sides = { left: hashed(task.keys), right: hashed(task.table ?? `${task.keys} LIMIT 0`) };
  const found: Matched = { distinct: 0, places: [] };
  for await (const { left, right } of hashParts(
    sides,
    partsFor(task.rows * rowBytes, session.memoryBytes),
    write,
  )) {
    const first = `SELECT ${task.first}, min(${ROW_NUMBER}) AS ${ROW_NUMBER} FROM (${left}) GROUP BY ALL`;
    const keys = task.first === undefined ? left : first;
    await session.run(`CREATE OR REPLACE TEMP VIEW sluice_keys AS ${keys}`, 'looking at new keys');
    const [count] = await session.rows(
      'SELECT count(*) AS n FROM (SELECT DISTINCT * FROM sluice_keys)',
      'counting new keys',
    );
    found.distinct += Number(count!['n']);
    if (task.table === undefined) continue;
    found.places.push(
      await write(
        `SELECT ${FILE_NUMBER}, ${ROW_NUMBER} FROM (${right}) AS old SEMI JOIN sluice_keys AS new ON ${task.met}`,
      ),
    );
  }
  return found;
}
