/** How a stream is written as a file. */
import { z } from 'zod';
import { exportPathMistake } from '../core/export.ts';
import type { ExportOptions } from '../core/project.ts';
import { asciiCharacter, text, timezone } from './fields.ts';

const exportPath = text.superRefine((written, context) => {
  const mistake = exportPathMistake(written);
  if (mistake !== undefined) context.addIssue(mistake);
});

const options = z.strictObject({
  path: exportPath
    .optional()
    .describe(
      'Which file, below the folder or prefix of the connection. {table}, {date}, {time}, {year}, {month} and {day} stand for values; that of the connection when absent.',
    )
    .meta({ examples: ['orders/{table}_{date}.csv.gz'] }),
  format: z
    .enum(['csv', 'jsonl', 'parquet'])
    .optional()
    .describe('By the ending of the path when absent: .csv, .tsv, .jsonl, .ndjson, .parquet.'),
  compression: z
    .enum(['none', 'gzip', 'zstd', 'snappy'])
    .optional()
    .describe(
      'By the ending of the path when absent: .gz, .zst. Within Parquet, zstd when absent; snappy is for Parquet alone.',
    ),
  delimiter: asciiCharacter
    .refine((written) => written !== '"', 'cannot be the quote')
    .optional()
    .describe('Of CSV: between fields, "," when absent, and a tab when the path ends in .tsv.'),
  header: z
    .boolean()
    .optional()
    .describe('Of CSV: whether the first record has the names of the columns; true when absent.'),
  null: z.string().optional().describe('Of CSV: the text that stands for NULL; nothing at all when absent.'),
  timezone: timezone
    .optional()
    .describe('Zone of the date and time in the path; that of the pipeline, or UTC, when absent.'),
});

export const exported: z.ZodType<string | ExportOptions> = z.union([exportPath, options]);
