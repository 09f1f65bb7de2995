/** `check` as tests use it: what it finds in short, and whether a run then does just that. */
import { expect } from 'vitest';
import type { AnyPair } from '../../guarantees/pair.ts';
import { diagnosePipeline } from '../../src/engine/diagnose.ts';
import type { DiagnoseOptions, StreamDiagnosis } from '../../src/engine/diagnose-types.ts';

export async function diagnose(
  pair: Pick<AnyPair, 'context'>,
  options: DiagnoseOptions = {},
): Promise<StreamDiagnosis[]> {
  return (await diagnosePipeline(await pair.context(), 'p', options)).streams;
}

/** `ts out-of-range null 2 (id 1; id 3)` */
export function found({ findings }: StreamDiagnosis): string[] {
  return findings.map(({ columns, problem, fate, rows, keys }) => {
    const names = keys.map((key) => Object.entries(key).map(([name, value]) => `${name} ${value}`));
    const rest = names.length === 0 ? '' : ` (${names.map((name) => name.join(', ')).join('; ')})`;
    return `${columns.join(', ')} ${problem} ${fate} ${rows ?? 'all'}${rest}`;
  });
}

/** Values that a run counts, by column. What the casts of a server round is not among them. */
function coercedIn({ findings }: StreamDiagnosis): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { columns, fate, rows, problem } of findings)
    if (fate !== 'refused' && problem !== 'fraction')
      counts[columns[0]!] = (counts[columns[0]!] ?? 0) + rows!;
  return counts;
}

/** Looks first and runs then; each stream is refused, or its values are changed, as was said. */
export async function agree(pair: AnyPair, options: DiagnoseOptions = {}): Promise<StreamDiagnosis[]> {
  const before = await diagnose(pair, options);
  const { streams } = await pair.attempt();
  for (const diagnosis of before) {
    const { stream, status } = diagnosis;
    const { error, totals } = streams.find((each) => each.stream === stream)!;
    const refused = status === 'refused';
    expect({ stream, found: found(diagnosis), refused: error !== undefined, error: error?.recovery }).toEqual(
      {
        stream,
        found: found(diagnosis),
        refused,
        // Whoever is refused for a value need not try again.
        error: refused ? expect.stringMatching(/^(data|schema|config)$/) : undefined,
      },
    );
    if (!refused)
      expect({ stream, coerced: totals.coerced }).toEqual({ stream, coerced: coercedIn(diagnosis) });
  }
  return before;
}
