/** Databases in other encodings, and one without any, whose bytes nobody has checked. */
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import path from 'node:path';
import type { Arena, Attack } from '../attack.ts';
import type { Pair } from '../pair.ts';
import { expectSame } from './compare.ts';
import { checkedStreams } from './project.ts';

const ENCODED = [
  { encoding: 'LATIN1', texts: 'é ÿ £ ×', name: 'größe' },
  { encoding: 'WIN1252', texts: '€ „quote“ … œ ™', name: 'prix €' },
  { encoding: 'EUC_JP', texts: '漢字 かな カナ ｱ', name: '表' },
  { encoding: 'KOI8R', texts: 'Привет ё', name: 'имя' },
];

async function encoded(arena: Arena, { encoding, texts, name }: (typeof ENCODED)[number]): Promise<void> {
  const pair = await arena.open(
    {},
    `CREATE TABLE "${name}" (id int PRIMARY KEY, "${name}" text, c "char", doc jsonb, list text[], at timestamptz DEFAULT now());
     INSERT INTO "${name}" VALUES (1, '${texts}', 'x', '{"${name}":"${texts}"}', ARRAY['${texts}', NULL]), (2, '', NULL, NULL, '{}'), (3, repeat('${texts}', 1000), NULL, NULL, NULL)`,
    { encoding },
  );
  pair.streams = checkedStreams({
    [`public.${name}`]: { table: 't', load: 'merge', cursor: 'at', key: 'id' },
  });
  await pair.run();
  await pair.from.query(`UPDATE "${name}" SET "${name}" = "${name}" || '${texts}', at = now() WHERE id > 1`);
  await pair.run();
  await expectSame(arena, pair, [{ table: 't', from: `"${name}"` }]);
}

/** Bytes as the server holds them, and whether they are UTF-8. */
const BYTES = [
  ['61', true],
  ['c3a9', true],
  ['e9', false],
  ['ff', false],
  ['c3', false],
  ['61e962', false],
  ['eda080', false],
  ['c080', false],
  ['f4908080', false],
  ['efbbbf61', true],
  ['', true],
  [`${'61'.repeat(40)}e9${'62'.repeat(40)}`, false],
  [`${'c3a9'.repeat(40)}`, true],
  ['f09f8ea3', true],
] as const;

/** What is not UTF-8 is repaired and counted, as TYPES.md says; as `binary` every byte stays. */
async function unchecked(arena: Arena): Promise<void> {
  const values = BYTES.map(([hex], i) => `(${i}, convert_from(decode('${hex}', 'hex'), 'SQL_ASCII'))`);
  const pair = await arena.open(
    {},
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES ${values.join(', ')}, (-1, NULL)`,
    {
      encoding: 'SQL_ASCII',
    },
  );
  pair.to.connection = { type: 'lake', path: './lake', compression: 'snappy' };
  pair.streams = checkedStreams({
    'public.t': { load: 'merge', cursor: 'xmin' },
    raw: { sql: 'SELECT * FROM t', table: 'raw', types: { v: 'binary' } },
    repaired: { sql: 'SELECT * FROM t', table: 'repaired', partition_by: { column: 'v', by: 'value' } },
  });
  const { streams } = await pair.attempt();
  const broken = BYTES.filter(([, valid]) => !valid).length;
  arena.tally.faults += broken;
  for (const { stream, error, totals } of streams) {
    if (error) throw new Error(`${stream}: ${error.code}: ${error.message}`);
    const wanted = stream === 'raw' ? 0 : broken;
    if ((totals.coerced['v'] ?? 0) !== wanted)
      throw new Error(`${stream}: ${wanted} texts are not UTF-8, ${totals.coerced['v'] ?? 0} were counted`);
  }
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (const [i, [hex]] of BYTES.entries()) {
    const bytes = Buffer.from(hex, 'hex');
    await expectBytes(arena, pair, { table: 'raw', id: i, bytes });
    const text = Buffer.from(decoder.decode(bytes));
    for (const table of ['t', 'repaired']) await expectBytes(arena, pair, { table, id: i, bytes: text });
  }
  await otherReader(pair);
}

async function expectBytes(
  arena: Arena,
  pair: Pair,
  { table, id, bytes }: { table: string; id: number; bytes: Buffer },
): Promise<void> {
  const [row] = await pair.to.query(table, `SELECT lower(hex(v)) AS v FROM ${table} WHERE id = ${id}`);
  if (row?.['v'] === bytes.toString('hex')) return;
  arena.tally.rowsLost++;
  throw new Error(`${table} has ${String(row?.['v'])} where it should have ${bytes.toString('hex')}`);
}

/** Our reader drops a byte order mark that begins a text: what is in the file is told by another one. */
async function otherReader(pair: Pair): Promise<void> {
  const [file] = (await pair.to.state('t'))!.files;
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(path.join(pair.to.root, file!.key)),
  });
  const marked = rows.find((row) => row['id'] === BYTES.findIndex(([hex]) => hex.startsWith('efbbbf')));
  const found = Buffer.from(String(marked?.['v'])).toString('hex');
  // Its own decoder may drop the mark as well.
  if (!/^(efbbbf)?61$/.test(found))
    throw new Error(`the file has ${found} where the text begins with a mark`);
}

async function run(arena: Arena): Promise<string> {
  await unchecked(arena);
  for (const each of arena.brief ? [] : ENCODED) await encoded(arena, each);
  return 'works; what is not UTF-8 is repaired and counted';
}

export const ENCODINGS: Attack = {
  name: 'encodings',
  part: 'hostile',
  promise: 'exact-values',
  tries:
    'A database without encoding (SQL_ASCII) holds bytes that are not UTF-8, halves of surrogates and cut characters, read as text, as bytes and as partitions; databases in LATIN1, WIN1252, EUC_JP and KOI8R hold names and texts of their own',
  rounds: 1,
  brief: true,
  run,
};
