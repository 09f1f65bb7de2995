/** The same writers without a schedule: each goes its own way, as fast as it can, while loads run in a loop. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import type { Random } from '../random.ts';
import type { SqlSession } from '../sides.ts';
import { type Field, finish, openField } from './race.ts';
import { SHARED_ROWS } from './script.ts';
import type { RaceTable } from './tables.ts';
import { type Action, writeTransaction } from './transaction.ts';

const WRITERS = 8;
const SECONDS = 6;
const BRIEF_SECONDS = 2;
/** Least number of loads, however slow the machine is. */
const LOADS = 3;
const TURN_MS = 3;
const NAIVE_PAUSE_MS = 50;

interface Writer {
  index: number;
  session: SqlSession;
  random: Random;
  /** Rows it has inserted, whether they were committed or not. */
  rows: number[];
  nextRow: number;
}

export async function storm(arena: Arena<SqlPair>, tables: readonly RaceTable[]): Promise<string> {
  const roles = Array.from({ length: WRITERS }, () => undefined);
  const field = await openField(arena, tables, roles);
  const over = new AbortController();
  const work = field.sessions.map((session, index) =>
    writeOn(
      field,
      { index, session, random: arena.random.fork(), rows: [], nextRow: SHARED_ROWS + index },
      over.signal,
    ),
  );
  const naive = readNaively(field, over.signal);
  try {
    const end = performance.now() + (arena.brief ? BRIEF_SECONDS : SECONDS) * 1000;
    for (let loads = 0; loads < LOADS || performance.now() < end; loads++) await field.pair.run();
  } finally {
    over.abort();
    await Promise.all([...work, naive]);
  }
  return finish(arena, field);
}

async function readNaively({ naive }: Field, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await naive.read();
    await sleep(NAIVE_PAUSE_MS);
  }
}

async function writeOn(field: Field, writer: Writer, over: AbortSignal): Promise<void> {
  await writer.session.query(field.writers.impatient);
  while (!over.aborted) await transact(field, writer);
}

/** One transaction; it gives up when a row is locked by another one for too long, as programs do. */
async function transact({ writers }: Field, writer: Writer): Promise<void> {
  const { index, session, random } = writer;
  for (const action of writeTransaction(random)) {
    if (action.do === 'idle') {
      await sleep(action.turns * TURN_MS);
      continue;
    }
    try {
      await session.query(writers.statement({ writer: index, action, row: rowOf(writer, action) }));
    } catch (error) {
      if (!writers.isConflict(error)) throw error;
      await session.query(writers.statement({ writer: index, action: { do: 'rollback' }, row: 0 }));
      return;
    }
  }
}

function rowOf(writer: Writer, action: Action): number {
  if (action.do === 'insert') {
    writer.nextRow += WRITERS;
    writer.rows.push(writer.nextRow);
    return writer.nextRow;
  }
  if (action.do !== 'update') return 0;
  const own = action.whose === 'own' && writer.rows.length > 0;
  return own ? writer.random.pick(writer.rows) : writer.random.int(1, SHARED_ROWS);
}
