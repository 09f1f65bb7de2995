/** `verify` as tests use it: its answer in short, and a lake that is changed behind its back. */
import { renameSync } from 'node:fs';
import path from 'node:path';
import { Session } from '../../src/duckdb/session.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { StreamComparison, VerifyOptions } from '../../src/engine/verify-types.ts';
import type { Pair } from './pair.ts';

export async function verify(
  pair: Pick<Pair, 'context'>,
  options: VerifyOptions = {},
): Promise<StreamComparison> {
  const report = await verifyPipeline(await pair.context(), 'p', options);
  return report.streams[0]!;
}

/** `changed id 3`, with all columns of the key. */
export function named({ differences }: StreamComparison): string[] {
  return differences.map(({ kind, key, columns }) => {
    const names = Object.entries(key).map(([name, value]) => `${name} ${value}`);
    return `${kind} ${names.join(', ')}${columns.length > 0 ? `: ${columns.join(', ')}` : ''}`;
  });
}

export const EQUAL: Partial<StreamComparison> = {
  status: 'equal',
  missing: 0,
  extra: 0,
  changed: 0,
  waiting: 0,
  differences: [],
};

/** Writes all files of a table again, with what is left of their rows after `select`. */
export async function rewriteLake(
  pair: Pair,
  table: string,
  select: (scan: string) => string,
): Promise<void> {
  const session = await Session.open({ memoryBytes: 256 << 20, tempDirectory: pair.folder, threads: 1 });
  for (const { key } of (await pair.state(table))!.files) {
    const file = path.join(pair.to.root, key);
    const scan = `read_parquet('${file}', hive_partitioning = false)`;
    await session.run(`COPY (${select(scan)}) TO '${file}.new' (FORMAT parquet)`, 'rewriting');
    renameSync(`${file}.new`, file);
  }
  session.close();
}
