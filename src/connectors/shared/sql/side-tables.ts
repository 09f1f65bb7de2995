/** Tables beside those of readers, in databases where names of tables and rows of the bookkeeping change in one transaction. */
import type { Destination } from '../../../core/destination.ts';
import { ConfigError, ConflictError } from '../../../core/errors.ts';
import { nextVersions } from '../../../core/schema-changes.ts';
import type { Exchange, ExchangedTable, SideTables } from '../../../core/side-tables.ts';
import { type FoundTable, OWN_COLUMNS, type SqlDialect, type SqlSession, type SqlSystem } from './system.ts';
import {
  checkUnchanged,
  dropRecord,
  ensureRecord,
  readRecord,
  type TableRecord,
  writeRecord,
} from './table-record.ts';
import { exchangeApart } from './exchange-apart.ts';
import { attachForeignKeys, detachForeignKeys } from './side-foreign-keys.ts';
import { settle } from './swap-apart.ts';
import { targetColumns } from './table-shape.ts';

/** A table of a place as the transaction has it. */
interface Located {
  record: TableRecord | undefined;
  found: FoundTable | undefined;
}

interface Exchanged extends ExchangedTable {
  from: Located;
  readers: Located;
}

type Dialects = Record<'from' | 'readers' | 'to', SqlDialect>;

export class SqlSideTables implements SideTables {
  readonly together: boolean;
  readonly #system: SqlSystem;
  readonly #open: (system: SqlSystem) => Destination;

  constructor(system: SqlSystem, open: (system: SqlSystem) => Destination) {
    this.together = !system.dialect.ddlApart;
    this.#system = system;
    this.#open = open;
  }

  async at(place: string): Promise<Destination> {
    const { workers, gives } = this.#system;
    const dialect = this.#dialect(place);
    return this.#open({
      dialect,
      workers,
      gives: { ...gives, foreignKeys: gives.foreignKeys && dialect.sides!.foreignKeys },
      title: (signal) => this.#system.title(signal),
      connect: (signal) => this.#system.connect(signal),
      // The system belongs to the readers' tables.
      close: async () => {},
    });
  }

  name(place: string, table: string): string {
    return this.#dialect(place).recordName(table).replaceAll('"', '');
  }

  async exchange(exchange: Exchange, signal: AbortSignal): Promise<void> {
    const readers = this.#system.dialect;
    const [from, to] = [this.#dialect(exchange.from), this.#dialect(exchange.to)];
    const names = exchange.tables.map(({ table }) => table).toSorted();
    const session = await this.#system.connect(signal);
    try {
      for (const { table, fence } of exchange.tables)
        for (const dialect of [from, readers]) await dialect.claims.evict(session, table, fence);
      for (const sql of to.setUp) await session.query(sql, 'promoting tables');
      // In one order, so that nobody waits in a circle.
      const tables = names.map((name) => exchange.tables.find(({ table }) => table === name)!);
      for (const part of this.together ? [tables] : tables.map((table) => [table]))
        await this.#exchange(session, part, { ...exchange, dialects: { from, readers, to } });
    } finally {
      // Without a COMMIT this undoes everything.
      await session.close();
    }
  }

  /** Those of one transaction. */
  async #exchange(
    session: SqlSession,
    given: readonly ExchangedTable[],
    { dialects, ...exchange }: Exchange & { dialects: Dialects },
  ): Promise<void> {
    const { from, readers, to } = dialects;
    const names = given.map(({ table }) => table);
    if (this.together)
      for (const sql of readers.begin(undefined)) await session.query(sql, 'promoting tables');
    const tables: Exchanged[] = [];
    for (const each of given) tables.push(await this.#locate(session, each, dialects));
    // Before anything else is looked for that keeps tables where they are.
    const views = await readers.sides!.detachViews?.(session, names);
    if (views?.held !== undefined) throw held(names, views.held);
    for (const each of tables) await refuseHeld(session, readers, each);
    for (const each of tables) await takeOver(session, dialects, each);
    if (!this.together) {
      const [one] = tables as [Exchanged];
      const { table, versions } = one;
      const facts = { after: recordAfter(one, exchange.run), found: one.readers.found !== undefined };
      return exchangeApart(this.#system, session, { ...exchange, table, versions, ...facts });
    }
    const keys = await detachForeignKeys(session, readers, names);
    await detachForeignKeys(session, from, names);
    const replaced = tables.filter((each) => each.readers.found).map(({ table }) => table);
    await dropTables(session, to, replaced);
    for (const table of replaced)
      for (const sql of readers.sides!.moveTo(table, to))
        await session.query(sql, `putting table "${table}" aside`);
    for (const table of names)
      for (const sql of from.sides!.moveTo(table, readers))
        await session.query(sql, `promoting table "${table}"`);
    await attachForeignKeys(session, readers, names, keys);
    await views?.attach();
    for (const each of tables) await writeRecords(session, dialects, each, exchange.run);
    await session.query('COMMIT', 'promoting tables');
  }

  async settle(tables: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.together) return;
    const session = await this.#system.connect(signal);
    try {
      const { dialect } = this.#system;
      if ((await session.query(dialect.recordsExist, 'looking for what is loaded')).rows.length === 0) return;
      for (const table of tables) await settle(this.#system, session, table);
    } finally {
      await session.close();
    }
  }

  async drop(place: string, tables: readonly string[], signal: AbortSignal): Promise<void> {
    const dialect = this.#dialect(place);
    const session = await this.#system.connect(signal);
    try {
      if ((await session.query(dialect.recordsExist, 'looking for what is loaded')).rows.length === 0) return;
      for (const sql of dialect.begin(undefined)) await session.query(sql, 'dropping tables');
      await dropTables(session, dialect, tables);
      await session.query('COMMIT', 'dropping tables');
    } finally {
      await session.close();
    }
  }

  #dialect(place: string): SqlDialect {
    return this.#system.dialect.sides!.at(place);
  }

  async #locate(session: SqlSession, given: ExchangedTable, { from, readers }: Dialects): Promise<Exchanged> {
    const { table, fence, versions } = given;
    const locate = async (dialect: SqlDialect, version: number): Promise<Located> => {
      const record = await readRecord(session, dialect, table, true);
      // The lease of the other table has fences of its own.
      checkUnchanged(record, { table, version, fence: dialect === readers ? fence : (record?.fence ?? 0) });
      return { record, found: await dialect.find(session, table) };
    };
    const located = await locate(from, versions.from);
    if (!located.found || !located.record) throw goneMeanwhile(from.table(table));
    return { ...given, from: located, readers: await locate(readers, versions.readers ?? 0) };
  }
}

/** Those that we know something of; others are none of ours, but for names that are always ours. */
async function dropTables(
  session: SqlSession,
  dialect: SqlDialect,
  tables: readonly string[],
): Promise<void> {
  const known: string[] = [];
  for (const table of tables)
    if ((await readRecord(session, dialect, table, true)) || dialect.ddlApart) known.push(table);
  if (known.length === 0) return;
  if (dialect.sides!.foreignKeys) await detachForeignKeys(session, dialect, known);
  const list = known.map((table) => dialect.table(table)).join(', ');
  for (const sql of dialect.sides!.drop(known)) await session.query(sql, `dropping ${list}`);
  for (const table of known) await dropRecord(session, dialect, table);
}

/** What a table has beside the columns that we load, and what hangs on it, would stay with the old one. */
async function refuseHeld(session: SqlSession, dialect: SqlDialect, exchanged: Exchanged): Promise<void> {
  const { table } = exchanged;
  const { found, record } = exchanged.readers;
  if (!found) return;
  const loaded = record ? targetColumns(record.schema, dialect, false).map(({ name }) => name) : [];
  const ours = new Set([...loaded, ...OWN_COLUMNS.loads, ...OWN_COLUMNS.versions]);
  const own = found.columns.filter(({ name }) => !ours.has(name)).map(({ name }) => `column "${name}"`);
  const reason = own.length > 0 ? own.join(', ') : await dialect.holdsOn(session, table, { keysMove: true });
  if (reason !== undefined) throw held([table], reason);
}

function held(tables: readonly string[], reason: string): ConfigError {
  const [list, has] = [tables.map((table) => `"${table}"`).join(', '), tables.length === 1 ? 'has' : 'have'];
  return new ConfigError(`promoting ${list}: what readers see ${has} what would stay behind: ${reason}`, {
    code: 'shadow.held',
    remedy:
      'drop that and make it again after the promotion, or load the present table with the new configuration',
    details: { tables },
  });
}

/** Indexes, defaults, comments and grants of the readers' table. */
async function takeOver(
  session: SqlSession,
  { from, readers }: Dialects,
  { table, history, from: side, readers: there }: Exchanged,
): Promise<void> {
  if (!there.found) return;
  const doing = `making the indexes of table "${table}"`;
  const columns = targetColumns(side.record!.schema, from, false).filter(({ name }) =>
    there.found!.columns.some((each) => each.name === name),
  );
  const own = await from.structure(session, table, columns);
  const has = new Set(own.indexes.map(({ name }) => name));
  const all = await readers.structure(session, table, columns);
  const structure = { ...all, indexes: all.indexes.filter(({ name }) => !has.has(name)) };
  const { first, indexes } = from.shape({
    table: from.table(table),
    name: table,
    columns,
    structure,
    history,
  });
  const grants = (await readers.grants(session, table)).map((sql) =>
    sql.replace('{}', () => from.table(table)),
  );
  for (const sql of [...first, ...indexes, ...grants]) await session.query(sql, doing);
}

async function writeRecords(
  session: SqlSession,
  { from, to, readers }: Dialects,
  exchanged: Exchanged,
  run: string,
): Promise<void> {
  const { table } = exchanged;
  const before = exchanged.readers.record?.version ? exchanged.readers.record : undefined;
  await dropRecord(session, from, table);
  if (before) {
    await ensureRecord(session, to, table, before);
    await writeRecord(session, to, table, before);
  }
  const after = recordAfter(exchanged, run);
  await ensureRecord(session, readers, table, after);
  await writeRecord(session, readers, table, after);
}

/** What is known of the readers' table when it is the other one. */
function recordAfter({ fence, from, readers }: Exchanged, run: string): TableRecord {
  const now = from.record!;
  const before = readers.record?.version ? readers.record : undefined;
  // Greater than any that either table had: whoever has planned on one of them is refused.
  const version = Math.max(now.version, before?.version ?? 0) + 1;
  const at = now.checkpoint?.readAt ?? '';
  const schemas = before
    ? nextVersions(before.schemas, { before: before.schema, after: now.schema }, { commit: version, at, run })
    : now.schemas;
  return { ...now, version, fence, schemas };
}

function goneMeanwhile(name: string): ConflictError {
  return new ConflictError(`promoting ${name}: it is not there any more`, {
    code: 'shadow.gone',
    remedy: 'load it again with `sluice shadow`',
  });
}
