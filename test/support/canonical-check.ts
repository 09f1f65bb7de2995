/** Asks a system for the canonical text of values and compares it with what it has to be. */
import { type RowDialect, rowText } from '../../src/connectors/shared/row-hash.ts';
import { renderType } from '../../src/core/types.ts';
import { type CanonicalValue, canonicalValues } from './canonical-values.ts';

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
  const wrong: string[] = [];
  let checked = 0;
  const byType = Map.groupBy(canonicalValues(), ({ type }) => renderType(type));
  for (const [type, values] of byType) {
    const known = values.filter((value) => system.literal(value) !== undefined);
    for (let from = 0; from < known.length; from += AT_ONCE) {
      const some = known.slice(from, from + AT_ONCE);
      const found = await system.query(statement(system, some));
      checked += some.length;
      some.forEach((value, i) => {
        const expected = Buffer.from(value.canonical).toString('hex');
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

function statement({ dialect, literal, bytes }: CanonicalSystem, values: readonly CanonicalValue[]): string {
  const rows = values.map((value, i) => `SELECT ${i} AS n, ${literal(value)!} AS v`);
  const text = rowText([{ name: 'v', type: values[0]!.type }], () => ({ sql: 'v', nullable: true }), dialect);
  return `SELECT ${bytes(text)} AS text FROM (${rows.join(' UNION ALL ')}) AS t ORDER BY n`;
}
