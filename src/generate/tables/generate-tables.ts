import { ConfigError, throwIfAborted } from '../../core/errors.ts';
import type { SqlSession, SqlSystem } from '../../connectors/shared/sql/system.ts';
import { fieldNames } from '../dataset.ts';
import { assertFaults, type FaultOptions } from '../faults.ts';
import { allRecordNames, type ModelOptions, openModel } from '../open-model.ts';
import { TableBook, type TableEntry } from './table-book.ts';
import { type GeneratedTable, TableMaker } from './table-maker.ts';

export interface GenerateTablesOptions {
  /** Which tables; all of the model when absent, or all that are there with `next`. */
  readonly tables?: readonly string[] | undefined;
  /** Days that new tables have behind them, the first among them; 1 when absent. */
  readonly days?: number | undefined;
  /** Tables of these names are dropped first. */
  readonly replace?: boolean | undefined;
  readonly faults?: FaultOptions | undefined;
  readonly onProgress?: ((progress: TableProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TableProgress {
  readonly table: string;
  readonly day: number;
  readonly records: number;
  readonly total: number;
}

/** Makes the tables of a model, as they are at the end of the last of some days. */
export async function generateTables(
  system: SqlSystem,
  model: ModelOptions,
  options: GenerateTablesOptions = {},
): Promise<GeneratedTable[]> {
  const { tables = [], days = 1, replace = false } = options;
  const data = openModel(model);
  const entities = tables.length > 0 ? tables.map((name) => data.entity(name)) : data.entities;
  const day = days - 1;
  if (options.faults) assertFaults(options.faults, 'table', fieldNames(entities, day));
  const book = await openBook(system, options);
  await inSession(system, options, async (session) => {
    const found = [];
    for (const { name } of entities) if (await system.dialect.find(session, name)) found.push(name);
    if (found.length > 0 && !replace) throw tablesThere(found);
    for (const name of found) {
      await book.remove(session, name);
      await session.query(`DROP TABLE ${system.dialect.table(name)}`, `dropping table "${name}"`);
    }
  });
  const made: GeneratedTable[] = [];
  for (const entity of entities) {
    const maker = makerOf(system, { data, entity, day }, options);
    await inSession(system, options, async (session) => {
      const note = (): Promise<void> =>
        book.write(session, {
          table: entity.name,
          model: written(model),
          faults: options.faults,
          day,
        });
      made.push(await maker.make(session, day, note));
    });
  }
  return made;
}

/** Has so many days pass in tables that were made here. Each day of a table is a transaction. */
export async function liveOn(
  system: SqlSystem,
  days: number,
  options: Omit<GenerateTablesOptions, 'days' | 'replace' | 'faults'> = {},
): Promise<GeneratedTable[]> {
  const book = await openBook(system, options);
  const entries = await inSession(system, options, (session) =>
    findEntries(system, { book, session }, options.tables),
  );
  const lived: GeneratedTable[] = [];
  for (let passed = 1; passed <= days; passed++) {
    for (const { table, model, faults, day: before } of entries) {
      const data = openModel(model);
      const entity = data.entity(table);
      const day = before + passed;
      const maker = makerOf(system, { data, entity, day }, { ...options, faults });
      await inSession(system, options, async (session) => {
        const note = (): Promise<void> => book.write(session, { table, model, faults, day });
        lived.push(await maker.liveADay(session, day, note));
      });
    }
  }
  return lived;
}

function makerOf(
  system: SqlSystem,
  {
    data,
    entity,
    day,
  }: {
    data: ReturnType<typeof openModel>;
    entity: ReturnType<typeof openModel>['entities'][number];
    day: number;
  },
  { faults, onProgress, signal = new AbortController().signal }: GenerateTablesOptions,
): TableMaker {
  throwIfAborted(signal);
  const onRows = (records: number, total: number): void =>
    onProgress?.({ table: entity.name, day, records, total });
  return new TableMaker(system, data, entity, { faults, onRows, signal });
}

/** Parents come before their children. */
async function findEntries(
  system: SqlSystem,
  { book, session }: { book: TableBook; session: SqlSession },
  wanted: readonly string[] = [],
): Promise<TableEntry[]> {
  const entries: TableEntry[] = [];
  for (const name of allRecordNames().filter((each) => wanted.length === 0 || wanted.includes(each))) {
    const entry = await book.read(session, name);
    if (entry && (await system.dialect.find(session, name))) entries.push(entry);
  }
  const lost = wanted.filter((name) => !entries.some(({ table }) => table === name));
  if (lost.length === 0 && entries.length > 0) return entries;
  const which = lost.length > 0 ? lost.map((name) => `"${name}"`).join(', ') : 'tables';
  throw new ConfigError(`letting days pass: there are no made-up ${which} here`, {
    code: 'generate.no_tables',
    remedy: 'make them first: the same command without --next',
  });
}

async function openBook(system: SqlSystem, options: GenerateTablesOptions): Promise<TableBook> {
  const book = new TableBook(system);
  await inSession(system, options, (session) => book.open(session));
  return book;
}

async function inSession<T>(
  system: SqlSystem,
  { signal = new AbortController().signal }: Pick<GenerateTablesOptions, 'signal'>,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const session = await system.connect(signal);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** What the days to come depend on, with nothing left to what is usual today. */
function written(model: ModelOptions): ModelOptions {
  const { model: name = 'lending', ...given } = model;
  return { model: name, ...given, ...openModel(model).options };
}

function tablesThere(found: readonly string[]): ConfigError {
  const names = found.map((name) => `"${name}"`).join(', ');
  return new ConfigError(`making tables: ${names} ${found.length === 1 ? 'is' : 'are'} there already`, {
    code: 'generate.exists',
    remedy: '--next lets days pass in tables that were made here, --replace drops them and begins again',
  });
}
