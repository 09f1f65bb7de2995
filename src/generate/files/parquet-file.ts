import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatchSource } from '../../duckdb/batch-source.ts';
import { Session } from '../../duckdb/session.ts';
import { duckName, duckText, sourceColumn } from '../../duckdb/types.ts';
import { batchesOf, type OnBatch } from '../record-batches.ts';
import type { Section } from '../sections.ts';

const MEMORY_BYTES = 256 << 20;

/** Writes records as Parquet, by DuckDB. Resolves to the bytes of the file. */
export async function writeParquetFile(
  path: string,
  sections: readonly Section[],
  onRecords: OnBatch,
): Promise<number> {
  const spill = await mkdtemp(join(tmpdir(), 'sluice-generate-'));
  const session = await Session.open({
    memoryBytes: MEMORY_BYTES,
    tempDirectory: join(spill, 'spill'),
    threads: 1,
  });
  try {
    const source = new BatchSource(batchesOf(sections, onRecords));
    const { schema } = sections[0]!.reader;
    source.register(session.connection, 'sluice_records', schema);
    const columns = schema.fields.map(({ name }, i) => `${sourceColumn(i)} AS ${duckName(name)}`);
    await session
      .run(
        `COPY (SELECT ${columns.join(', ')} FROM sluice_records()) TO ${duckText(path)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
        `writing "${path}"`,
      )
      .catch((error: unknown) => {
        throw source.error ?? error;
      });
    return (await stat(path)).size;
  } finally {
    session.close();
    await rm(spill, { recursive: true, force: true });
  }
}
