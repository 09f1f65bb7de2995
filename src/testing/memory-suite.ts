/** The memory source as the kit wants it: an example of what a connector's test has to bring along. */
import type { Source } from '../core/source.ts';
import { renderType } from '../core/types.ts';
import type { Cell } from './batch-rows.ts';
import { schemaOf } from './kit-load.ts';
import { MemoryDatabase, MemorySource } from './memory-source.ts';
import type { LabelledRow, SourceUnderTest } from './source-suite.ts';

const TYPES = schemaOf(
  'id int64, i int32 null, d decimal(10,2) null, t utf8 null, b bool null, x binary null, f float64 null, u uuid null, at timestamptz null',
);
const VALUES: Cell[][] = [
  ['1', '-5', '-0.01', 'ä', 'true', '00ff', '-0.5', '00010203-0405-0607-0809-0a0b0c0d0e0f', '1'],
  ['2', ...TYPES.fields.slice(1).map(() => null)],
];

/** `wrap` may put another source in the place of the good one. */
export async function openMemorySuite(
  wrap: (database: MemoryDatabase) => Source = (database) => new MemorySource(database),
): Promise<SourceUnderTest> {
  const database = new MemoryDatabase();
  const begin = (stream: string, rows: LabelledRow[]): (() => void) => {
    const transaction = database.begin();
    for (const { id, label } of rows) transaction.write(stream, [String(id), label, String(transaction.at)]);
    return () => transaction.commit();
  };
  return {
    source: async () => wrap(database),
    unreachable: async () => wrap(Object.assign(new MemoryDatabase(), { down: true })),
    createTable: async (name) => {
      database.createTable(name, schemaOf('id int64, label utf8 null, changed timestamptz'));
      return name;
    },
    write: async (stream, rows) => begin(stream, rows)(),
    writeOpen: async (stream, rows) => {
      const commit = begin(stream, rows);
      return async () => commit();
    },
    everyType: async () => {
      database.createTable('types', TYPES);
      const transaction = database.begin();
      for (const row of VALUES) transaction.write('types', row);
      transaction.commit();
      return {
        stream: 'types',
        columns: TYPES.fields.map(({ name, type }) => ({ name, type: renderType(type) })),
        rows: VALUES,
      };
    },
    disconnect: async () => {
      database.cuts++;
    },
    close: async () => {},
  };
}
