/** Races in which Sluice may not see the transactions of others. */
import type { Arena } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import { finish, follow, openField, sizeOf } from './race.ts';
import { writeScript } from './script.ts';
import type { RaceTable } from './tables.ts';

/** Sluice logs in as this role, which is not told what transactions the others have. */
const LOADER = 'loader';
/** So many writers have that role too, and can be seen. */
const SEEN = 2;

export async function raceHidden(arena: Arena<SqlPair>, tables: readonly RaceTable[]): Promise<string> {
  const size = sizeOf(arena);
  const owners = Array.from({ length: size.writers - SEEN }, () => undefined);
  const field = await openField(arena, tables, owners);
  const { pair, sessions } = field;
  await pair.from.query(field.writers.restrict(LOADER));
  pair.from.connection = { ...pair.from.connection, url: pair.from.urlOf(LOADER) };
  for (let seen = 0; seen < SEEN; seen++) sessions.push(await pair.from.session(LOADER));
  // While one is there all the time, rows may be as old as if their own transactions had begun long ago.
  const holder = await pair.from.session();
  await holder.query(field.writers.statement({ writer: size.writers, action: { do: 'begin' }, row: 0 }));
  await follow(arena, field, writeScript(arena.random, size));
  await holder.query('COMMIT');
  return finish(arena, field);
}
