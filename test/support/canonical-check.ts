/** Asks a system for the canonical text of values and compares it with what it has to be. */
import type { KeepingRule } from '../../src/core/compare.ts';
import { type RowDialect, rowText } from '../../src/connectors/shared/row-hash.ts';
import { renderType } from '../../src/core/types.ts';
import { type CanonicalValue, canonicalValues, keptCanonical } from './canonical-values.ts';

export interface CanonicalSystem {
  dialect: RowDialect;
  literal: (value: CanonicalValue) => string | undefined;
  /** The bytes of a text as hexadecimal digits. */
  bytes: (text: string) => string;
  /** The only column of all rows, in their order. */
  query: (sql: string) => Promise<(string | null)[]>;
}

/** Values of one statement: servers limit its length. */
const AT_ONCE = 100;

/** Everything that is not as it should be, and how many values there were. */
export async function checkCanonical(system: CanonicalSystem): Promise<{ checked: number; wrong: string[] }> {
  const plain = await check(system, undefined);
  const kept = await check(system, new Set(ALL_RULES));
  return { checked: plain.checked, wrong: [...plain.wrong, ...kept.wrong.map((text) => `kept ${text}`)] };
}

const ALL_RULES: readonly KeepingRule[] = ['finite', 'unsigned-zero', 'four-digit-years', 'no-nul'];

const RULED: ReadonlySet<string> = new Set(['float32', 'float64', 'date', 'timestamp']);

async function check(
  system: CanonicalSystem,
  keeping: ReadonlySet<KeepingRule> | undefined,
): Promise<{ checked: number; wrong: string[] }> {
  const wrong: string[] = [];
  let checked = 0;
  const byType = Map.groupBy(canonicalValues(), ({ type }) => renderType(type));
  for (const [type, values] of byType) {
    if (keeping && !RULED.has(values[0]!.type.kind)) continue;
    const known = values.filter((value) => system.literal(value) !== undefined);
    for (let from = 0; from < known.length; from += AT_ONCE) {
      const some = known.slice(from, from + AT_ONCE);
      const found = await system.query(statement(system, some, keeping));
      checked += some.length;
      some.forEach((value, i) => {
        const canonical = keeping ? keptCanonical(value) : value.canonical;
        const expected = Buffer.from(canonical).toString('hex');
        const is = found[i]?.toLowerCase() ?? '';
        if (is !== expected)
          wrong.push(
            `${type} ${system.literal(value)!.slice(0, 80)}: ${Buffer.from(is, 'hex').toString().slice(0, 80)} instead of ${Buffer.from(expected, 'hex').toString().slice(0, 80)}`,
          );
      });
    }
  }
  return { checked, wrong };
}

function statement(
  { dialect, literal, bytes }: CanonicalSystem,
  values: readonly CanonicalValue[],
  keeping: ReadonlySet<KeepingRule> | undefined,
): string {
  const rows = values.map((value, i) => `SELECT ${i} AS n, ${literal(value)!} AS v`);
  const column = { name: 'v', type: values[0]!.type, keeping };
  const text = rowText([column], () => ({ sql: 'v', nullable: true }), dialect);
  return `SELECT ${bytes(text)} AS text FROM (${rows.join(' UNION ALL ')}) AS t ORDER BY n`;
}
