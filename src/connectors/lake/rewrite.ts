/** Writes again what has to stay of files that lose rows. Their rows keep their order. */
import { join } from 'node:path';
import { DataError } from '../../core/errors.ts';
import { duckName } from '../../duckdb/types.ts';
import { type StagedFile, FILE_NUMBER, ROW_NUMBER } from '../shared/lane/lane-protocol.ts';
import { partitionKey } from './layout.ts';
import type { DataFile } from './records.ts';
import { scanSql } from './records-sql.ts';
import type { SupersedeJob } from './supersede.ts';

export interface Replacement {
  remove: DataFile[];
  /** What is left of removed files, by partition. */
  kept: { partition: Record<string, string | null>; file: StagedFile }[];
  /** How many rows were found, where each of them counts by itself. */
  changed?: number;
}

export interface Touched {
  file: DataFile;
  /** Among the files of the table. */
  number: number;
  /** How many rows it loses. */
  lost: number;
}

/** Says which rows stay. */
interface Rest {
  /** Called before `query` for some of these files. */
  prepare(files: readonly Touched[]): Promise<void>;
  query(files: readonly Touched[]): string;
  close(): Promise<void>;
}

/** Rows are marked by a bit each, in pieces of so many (2 KiB). */
const CHUNK_BITS = 14;
const CHUNK_ROWS = 1 << CHUNK_BITS;
/** As many pieces are made and joined at a time: 2 MiB. */
const MOST_CHUNKS = 1024;

/** Removes the files; those of a partition that still have rows become one, as long as it is not too large. */
export async function rewrite(
  job: SupersedeJob,
  touched: readonly Touched[],
  rest: Rest,
): Promise<Replacement> {
  const result: Replacement = { remove: touched.map(({ file }) => file), kept: [] };
  let number = 0;
  try {
    for (const batch of batchesOf(groupsOf(touched, job.files.fileBytes))) {
      await rest.prepare(batch.flat());
      for (const group of batch) {
        const written = await job.lane.copy({
          query: rest.query(group),
          files: { ...job.files, directory: join(job.files.directory, `kept${number++}`), partitions: [] },
        });
        checkCount(group, written);
        const { partition } = group[0]!.file;
        result.kept.push(...written.map((file) => ({ partition, file })));
      }
    }
  } finally {
    await rest.close();
  }
  return result;
}

/** What was found and what is left have to be all there is: otherwise one of them was read wrongly, or is not as it was committed. */
function checkCount(group: readonly Touched[], written: readonly StagedFile[]): void {
  const expected = group.reduce((sum, { file, lost }) => sum + file.rows - lost, 0);
  const rows = written.reduce((sum, file) => sum + file.rows, 0);
  if (rows === expected) return;
  throw new DataError(
    `rewriting ${group.length} files without the rows that are replaced: ${rows} rows are left, expected were ${expected}; nothing was changed`,
    {
      code: 'lake.row_count',
      remedy: 'a file was changed after it was committed: `sluice catalog check` names it',
      details: { files: group.map(({ file }) => file.key) },
    },
  );
}

/** Files whose rests are written into one, of one partition and with so many bytes at most. Pure. */
function groupsOf(touched: readonly Touched[], fileBytes: number): Touched[][] {
  const groups: Touched[][] = [];
  // A file that loses all its rows leaves nothing to write.
  const remaining = touched.filter(({ file, lost }) => lost < file.rows);
  for (const files of Map.groupBy(remaining, ({ file }) => partitionKey(file.partition)).values()) {
    let sum = Number.POSITIVE_INFINITY;
    for (const each of files) {
      const bytes = (each.file.bytes / each.file.rows) * (each.file.rows - each.lost);
      if (sum + bytes > fileBytes) {
        groups.push([]);
        sum = 0;
      }
      groups.at(-1)!.push(each);
      sum += bytes;
    }
  }
  return groups;
}

/** Groups that are prepared together. Pure. */
function batchesOf(groups: readonly Touched[][]): Touched[][][] {
  const batches: Touched[][][] = [];
  let sum = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    const chunks = group.reduce((total, { file }) => total + Math.ceil(file.rows / CHUNK_ROWS), 0);
    if (sum + chunks > MOST_CHUNKS) {
      batches.push([]);
      sum = 0;
    }
    batches.at(-1)!.push(group);
    sum += chunks;
  }
  return batches;
}

/** Rows stay unless they meet a condition. */
export function notMeeting({ storage, state }: SupersedeJob, condition: string): Rest {
  return {
    prepare: async () => undefined,
    query(touched) {
      const scan = scanSql({ storage, state, files: touched.map(({ file }) => file) });
      return `SELECT * FROM (${scan}) WHERE (${condition}) IS NOT TRUE`;
    },
    close: async () => undefined,
  };
}

/** Rows stay unless their place is among those that a query gives. */
export function notAmong(job: SupersedeJob, places: string): Rest {
  return marked(job, places, ({ rows, found }) => `SELECT ${rows} FROM {} WHERE (${found}) IS NOT TRUE`);
}

/** All rows stay, and those whose place is among those that a query gives get other values. */
export function changedAmong(
  job: SupersedeJob,
  places: string,
  values: readonly { column: string; value: string }[],
): Rest {
  return marked(job, places, ({ rows, found }) => {
    const list = values.map(({ column, value }) => {
      const name = duckName(column);
      return `CASE WHEN ${found} THEN ${value} ELSE old.${name} END AS ${name}`;
    });
    return `SELECT ${rows} REPLACE (${list.join(', ')}) FROM {}`;
  });
}

/** Each row beside a bit that says whether its place was found. `select`: with `{}` for what is selected from. */
function marked(
  { storage, state, lane }: SupersedeJob,
  places: string,
  select: (parts: { rows: string; found: string }) => string,
): Rest {
  const bit = `get_bit(gone.bits, CAST(old.${ROW_NUMBER} & ${CHUNK_ROWS - 1} AS INTEGER))`;
  const sql = select({ rows: `old.* EXCLUDE (${FILE_NUMBER}, ${ROW_NUMBER})`, found: `${bit} = 1` });
  return {
    async prepare(touched) {
      const numbers = touched.map(({ number }) => number).join(', ');
      await lane.query(
        `CREATE OR REPLACE TEMP TABLE sluice_gone AS SELECT ${FILE_NUMBER} AS number, CAST(${ROW_NUMBER} >> ${CHUNK_BITS} AS INTEGER) AS chunk, bitstring_agg(CAST(${ROW_NUMBER} & ${CHUNK_ROWS - 1} AS INTEGER), 0, ${CHUNK_ROWS - 1}) AS bits FROM (${places}) WHERE ${FILE_NUMBER} IN (${numbers}) GROUP BY number, chunk`,
      );
    },
    query(touched) {
      const files = touched.map(({ file }) => file);
      const scan = scanSql({ storage, state, files, numbers: touched.map(({ number }) => number) });
      const here = `gone.number = old.${FILE_NUMBER} AND gone.chunk = CAST(old.${ROW_NUMBER} >> ${CHUNK_BITS} AS INTEGER)`;
      return sql.replace('{}', () => `(${scan}) AS old LEFT JOIN sluice_gone AS gone ON ${here}`);
    },
    close: async () => void (await lane.query('DROP TABLE IF EXISTS sluice_gone').catch(() => undefined)),
  };
}
