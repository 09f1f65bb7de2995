import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Batch, Column } from '../core/batch.ts';
import type { Schema } from '../core/schema.ts';
import { renderType } from '../core/types.ts';
import { BatchQuery } from '../duckdb/batch-query.ts';
import { Session } from '../duckdb/session.ts';
import { type Cell, fromBatch, toBatch } from '../testing/batch-rows.ts';
import { schemaOf } from '../testing/kit-load.ts';
import { readRules } from './read-rules.ts';
import { placesOf, queryTypes, ruledFields, rulesQuery, verdictOf } from './rule-sql.ts';

let session: Session;
beforeAll(async () => {
  const tempDirectory = path.join(tmpdir(), 'sluice-rules-test');
  session = await Session.open({ memoryBytes: 64 << 20, tempDirectory, threads: 1 });
  await session.run(`SET disabled_optimizers = 'common_subexpressions'`, 'testing');
});
afterAll(() => session.close());

interface Given {
  checks?: Record<string, string>;
  compute?: Record<string, string>;
}

/** What becomes of rows: their values in the table, or why they go aside. */
async function judged(
  schema: Schema,
  { checks = {}, compute = {} }: Given,
  rows: Cell[][],
): Promise<unknown[]> {
  const { mistakes, ...rules } = await readRules(session, schema, { checks, compute });
  expect(mistakes).toEqual([]);
  const query = await BatchQuery.open(
    session,
    schema,
    (table) => rulesQuery(table, schema, rules),
    'judging',
  );
  const found = queryTypes(rules).map((type) => new Column(type, 2048));
  const batch = toBatch(schema, rows);
  // Twice: what the first batch has left behind must not show.
  await query.run(toBatch(schema, [...rows, ...rows].reverse()), found);
  await query.run(batch, found);
  const columns = placesOf(schema.fields, rules.computed).map(({ computed, index }) =>
    computed ? found[1 + index]! : batch.columns[index]!,
  );
  const out = new Batch({ ...schema, fields: ruledFields(schema.fields, rules.computed) }, 2048, columns);
  out.rows = rows.length;
  const cells = fromBatch(out);
  return rows.map((_, row) => {
    const number = found[0]!.i16[row]!;
    return number === 0 ? cells[row] : verdictOf(number, rules).reason;
  });
}

const PEOPLE = schemaOf('id int64, amount decimal(12,2) null, first utf8 null, last utf8 null');
const ROWS: Cell[][] = [
  ['1', '12.50', '1', 'Smith'],
  ['2', '-3.00', '2', 'Jones'],
  ['3', '5.00', 'x', 'Z'],
  ['4', null, null, 'Nobody'],
];

describe('rows are held against the rules of their stream', () => {
  it('the first check that is not met is named, and NULL meets all', async () => {
    const checks = { positive: 'amount > 0', long: 'length(last) > 1' };
    expect(await judged(PEOPLE, { checks }, ROWS)).toEqual([
      ROWS[0],
      'check positive is not met',
      'check long is not met',
      ROWS[3],
    ]);
  });

  it('an error concerns its row alone, also when two expressions have a part in common that fails', async () => {
    const compute = { n: 'first::int + 1', m: 'first::int + 2' };
    const checks = { small: 'n < 3', even: "first::int % 2 = 0 OR last = 'Smith'" };
    expect(await judged(PEOPLE, { compute, checks }, ROWS)).toEqual([
      [...ROWS[0]!, '2', '3'],
      'check small is not met',
      'n cannot be computed',
      [...ROWS[3]!, null, null],
    ]);
    expect(await judged(PEOPLE, { checks: { number: 'first::int > 0' } }, ROWS)).toEqual([
      ROWS[0],
      ROWS[1],
      'check number cannot be computed',
      ROWS[3],
    ]);
  });

  it('a column that is computed takes the place of one with its name, which expressions still see and checks do not', async () => {
    const compute = { LAST: 'upper(last)', both: "first || ' ' || last", first: 'coalesce(first, last)' };
    const checks = { shouting: "last = upper(last) AND first <> 'Z'" };
    expect(await judged(PEOPLE, { compute, checks }, ROWS)).toEqual([
      ['1', '12.50', '1', 'SMITH', '1 Smith'],
      ['2', '-3.00', '2', 'JONES', '2 Jones'],
      ['3', '5.00', 'x', 'Z', 'x Z'],
      ['4', null, 'Nobody', 'NOBODY', null],
    ]);
  });

  it('an expression sees columns that are computed before it, and may end with a comment', async () => {
    const compute = { a: 'id * 10 -- tens', b: 'a + 1' };
    expect(await judged(PEOPLE, { compute, checks: { c: 'b < 41 -- not the last' } }, ROWS)).toEqual([
      [...ROWS[0]!, '10', '11'],
      [...ROWS[1]!, '20', '21'],
      [...ROWS[2]!, '30', '31'],
      'check c is not met',
    ]);
  });

  it('every type goes in and comes out as it is', async () => {
    const types =
      'bool int16 int32 int64 float32 float64 decimal(4,1) decimal(9,2) decimal(38,5) utf8 json binary uuid date time timestamp timestamptz'.split(
        ' ',
      );
    const schema = schemaOf(types.map((type, i) => `c${i} ${type} null`).join(', '));
    const values: Cell[] =
      `true -7 70000 -5000000000 1.5 -0 -99.9 1234567.89 -123456789012345678901234567890123.12345 einsLangesWortMitÄ
      {"a":[1]} 00ff 00112233-4455-6677-8899-aabbccddeeff -1 86399999999 -1 1700000000000000`.split(/\s+/);
    const compute = Object.fromEntries(types.map((_, i) => [`d${i}`, `c${i}`]));
    const rows = [values, values.map(() => null), values];
    expect(await judged(schema, { compute }, rows)).toEqual(rows.map((row) => [...row, ...row]));
    const { computed } = await readRules(session, schema, { checks: {}, compute });
    // What is text here is text for DuckDB.
    expect(
      ruledFields(schema.fields, computed)
        .slice(types.length)
        .map(({ type }) => renderType(type)),
    ).toEqual(types.map((type) => (type === 'json' ? 'utf8' : type)));
  });

  it('what has no equal among the types becomes one that holds it', async () => {
    const compute = {
      list: '[first, last]',
      pair: "{'a': id}",
      sum: 'id::hugeint * 2',
      tiny: 'id::utinyint',
      span: 'INTERVAL 1 day',
      doc: "json_object('id', id)",
    };
    const rules = await readRules(session, PEOPLE, { checks: {}, compute });
    expect(rules.mistakes).toEqual([]);
    expect(ruledFields([], rules.computed).map(({ type }) => renderType(type))).toEqual(
      'json json decimal(38,0) int16 utf8 json'.split(' '),
    );
    expect((await judged(PEOPLE, { compute }, ROWS.slice(0, 1)))[0]).toEqual(
      [ROWS[0]!, '["1","Smith"]', '{"a":1}', '2', '1', '1 day', '{"id":1}'].flat(),
    );
  });

  it('names may be anything, and differ in their capitals only', async () => {
    const schema: Schema = {
      fields: ['a "b"', 'A', 'a', 'select'].map((name) => ({
        name,
        type: { kind: 'int32' },
        nullable: true,
      })),
      key: [],
    };
    const checks = { odd: '"a ""b""" + A + "select" < 100' };
    expect(
      await judged(schema, { checks }, [
        ['1', '2', '3', '4'],
        ['1', '2', '3', '97'],
      ]),
    ).toEqual([['1', '2', '3', '4'], 'check odd is not met']);
  });

  it('a condition without columns is one of all rows', async () => {
    expect(await judged(PEOPLE, { checks: { never: '1 = 2' } }, ROWS)).toEqual(
      ROWS.map(() => 'check never is not met'),
    );
  });
});

describe('mistakes in expressions', () => {
  const mistakes = async (given: Given): Promise<readonly string[]> =>
    (await readRules(session, PEOPLE, { checks: {}, compute: {}, ...given })).mistakes;

  it('are told all at once, each with its path', async () => {
    const compute = { half: 'amuont / 2', total: 'sum(amount)' };
    const checks = { typo: 'frist is not null', number: 'id + 1', follows: 'half > 0', ends: 'amount >' };
    expect(await mistakes({ compute, checks })).toEqual([
      'compute.half: there is no column "amuont"; did you mean "amount"?',
      'compute.total: it is computed for each row, and can hold neither aggregates nor window functions',
      'checks.typo: there is no column "frist"; did you mean "first"?',
      'checks.number: it is of type BIGINT, and a check is true or false',
      'checks.ends: syntax error at or near ")"',
    ]);
  });

  it.each([
    ['row_number() over () > 1', 'can hold neither aggregates nor window functions'],
    ['random() > 0.5', 'another value each time'],
    ["(select true from read_text('/etc/passwd'))", 'it cannot hold a query'],
    ['id > 0; drop table x', 'syntax error'],
    ['id > 0) from (select 1', 'syntax error'],
    ['length(id) > 1', 'no function matches'],
    ["first > date '2026-01-01' + 1", 'cannot compare values'],
  ])('%s is refused', async (expression, said) => {
    const [mistake] = await mistakes({ checks: { x: expression } });
    expect(mistake).toContain(said);
  });
});

it('a text that is no UTF-8 is an error with the name of its column, where an expression looks at it', async () => {
  const schema = schemaOf('id int32, t utf8 null');
  const batch = toBatch(schema, [['1', 'aaaa']]);
  batch.columns[1]!.bytes[2] = 0xff;
  const into = [new Column({ kind: 'int16' }, 64)];
  const open = (condition: string): Promise<BatchQuery> =>
    BatchQuery.open(session, schema, (table) => `SELECT (${condition})::SMALLINT FROM ${table}`, 'looking');
  await (await open('c0 > 0')).run(batch, into);
  expect(into[0]!.i16[0]).toBe(1);
  await expect((await open('length(c1)')).run(batch, into)).rejects.toMatchObject({
    code: 'data.invalid_utf8',
  });
});
