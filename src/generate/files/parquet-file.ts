import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch, BatchReader } from '../../core/batch.ts';
import { BatchSource } from '../../duckdb/batch-source.ts';
import { Session } from '../../duckdb/session.ts';
import { duckName, duckText, sourceColumn } from '../../duckdb/types.ts';
import { BATCH_ROWS } from '../record-reader.ts';
import { spoilTexts } from '../spoil-rows.ts';
import type { Section } from './sections.ts';
import type { OnRecords } from './text-file.ts';

const MEMORY_BYTES = 256 << 20;

/** Writes records as Parquet, by DuckDB. Resolves to the bytes of the file. */
export async function writeParquetFile(
  path: string,
  sections: readonly Section[],
  onRecords: OnRecords,
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

/** The batches of all sections; each is used up before the next is made. */
function batchesOf(sections: readonly Section[], onRecords: OnRecords): BatchReader {
  let section = 0;
  let at = 0;
  let written = 0;
  const next = (): Batch | undefined => {
    const current = sections[section];
    if (!current) return undefined;
    const { selection, reader } = current;
    if (at >= selection.count) {
      section++;
      at = 0;
      return next();
    }
    const count = Math.min(BATCH_ROWS, selection.count - at);
    reader.load(selection, at, count);
    spoilTexts(reader.batch, reader.faults);
    onRecords(count, reader.faults, written);
    at += count;
    written += count;
    return reader.batch;
  };
  return { next };
}
