/** What tables of a SQL destination are without for a while. */
import type {
  MissingPart,
  RestoredPart,
  TableParts,
  TableSpec,
  TableState,
} from '../../../core/destination.ts';
import { crossOut, type Missing, noteMissing, readMissing, restoreMissing } from './missing-parts.ts';
import { fitNames } from './names.ts';
import type { SqlSession, SqlSystem } from './system.ts';
import { readRecord } from './table-record.ts';
import { targetColumns } from './table-shape.ts';

export class SqlTableParts implements TableParts {
  readonly #system: SqlSystem;

  constructor(system: SqlSystem) {
    this.#system = system;
  }

  /** What a load has to know of a table. */
  async facts(
    session: SqlSession,
    table: string,
  ): Promise<Required<Pick<TableState, 'spareIndexes' | 'refersTo'>>> {
    const { dialect, gives } = this.#system;
    const quoted = dialect.table(table);
    const parts = (await dialect.parts.list(session, quoted)) ?? [];
    const spare = parts.filter(({ kind, loose }) => kind === 'index' && loose);
    const own = parts.filter((part) => part.table === quoted);
    const refersTo = own.flatMap(({ refers }) => this.#nameOf(refers) ?? []);
    return { spareIndexes: gives.spare ? spare.length : 0, refersTo };
  }

  async missing(signal: AbortSignal): Promise<MissingPart[]> {
    return this.#use(signal, async (session) => {
      const lines = await this.#read(session);
      return lines.map((line) => this.#told(line));
    });
  }

  async restore(
    tables: readonly string[],
    kind: MissingPart['kind'],
    signal: AbortSignal,
  ): Promise<RestoredPart[]> {
    return this.#use(signal, async (session) => {
      const { dialect } = this.#system;
      const names = new Map(tables.map((name) => [dialect.table(name), name]));
      const lines = await this.#read(session, [...names.keys()]);
      const wanted = lines.filter((line) => line.kind === kind);
      if (wanted.length === 0) return [];
      const loading = async (table: string): Promise<boolean> => {
        const name = this.#nameOf(table);
        const record = name === undefined ? undefined : await readRecord(session, dialect, name);
        return record?.version === 0 || record?.checkpoint?.unfinished !== undefined;
      };
      const done = await restoreMissing(this.#system, wanted, loading, signal);
      return done.map((part) => ({ ...this.#told(part), status: part.status, reason: part.reason }));
    });
  }

  async forget(parts: readonly MissingPart[], signal: AbortSignal): Promise<void> {
    await this.#use(signal, (session) => crossOut(this.#system, session, parts));
  }

  async #read(session: SqlSession, tables?: readonly string[]): Promise<Missing[]> {
    const { booksExist } = this.#system.dialect.parts;
    const there = await session.query(booksExist, 'looking for what tables are to get');
    return there.rows.length === 0 ? [] : readMissing(this.#system, session, tables);
  }

  #told({ table, kind, name, sql, refers }: Missing): MissingPart {
    const tables = [table, refers].flatMap((each) => this.#nameOf(each) ?? []);
    return { table, kind, name, sql, tables: [...new Set(tables)] };
  }

  /** Undefined for tables that we do not write to. */
  #nameOf(table: string | undefined): string | undefined {
    const mark = table?.at(-1) ?? '';
    const start = new RegExp(`${mark}(?:[^${mark}]|${mark}${mark})+${mark}$`).exec(table ?? '');
    const name = start?.[0].slice(1, -1).replaceAll(mark + mark, mark);
    return name !== undefined && this.#system.dialect.table(name) === table ? name : undefined;
  }

  async #use<T>(signal: AbortSignal, work: (session: SqlSession) => Promise<T>): Promise<T> {
    const session = await this.#system.connect(signal);
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  }
}

/** What a table that is loaded for the first time gets after its rows. */
export async function noteStructure(system: SqlSystem, session: SqlSession, spec: TableSpec): Promise<void> {
  const { dialect } = system;
  const { structure, schema, history, table: name } = spec;
  if (!structure) return;
  const columns = targetColumns(schema, dialect, !history && schema.key.length > 0);
  const limit = { bytes: dialect.nameBytes, folds: dialect.foldsNames, plain: dialect.plainNames };
  const fit = (names: readonly string[]): string[] => names.map((each) => fitNames([each], limit)[0]!);
  const table = dialect.table(name);
  const keys = (history ? [] : (structure.foreignKeys ?? [])).flatMap((key): Missing[] => {
    const [called = key.name] = fit([key.name]);
    const own = key.fields.flatMap((field) => columns.find((column) => column.field === field) ?? []);
    const refers = dialect.table(key.references.table);
    const referred = fit(key.references.fields);
    const sql = dialect.parts.foreignKey({
      ...key,
      name: called,
      table,
      columns: own.map((column) => column.name),
      types: own.map((column) => column.type),
      refers,
      referred,
    });
    return sql === undefined ? [] : [{ table, kind: 'foreign key', name: called, sql, refers, taken: false }];
  });
  const indexes = dialect.parts
    .later({ table, name, columns, structure, history })
    .map((index): Missing => ({ ...index, table, kind: 'index', refers: undefined, taken: false }));
  await noteMissing(system, session, [...indexes, ...keys]);
}
