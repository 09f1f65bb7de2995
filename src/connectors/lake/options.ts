import { z } from 'zod';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';
import {
  cacheFields,
  type CacheOptions,
  type CacheOptionsInput,
  storageFields,
  type StorageOptionsInput,
} from '../shared/storage-options.ts';

type LakeCompression = 'zstd' | 'snappy' | 'gzip' | 'none';

/** A lake as the user writes it. */
export interface LakeOptionsInput extends StorageOptionsInput, CacheOptionsInput {
  compression?: LakeCompression | undefined;
  row_group_rows?: number | undefined;
  file_size?: string | number | undefined;
  retention?: string | number | undefined;
  slice_size?: string | number | undefined;
}

/** The same after parsing: sizes are bytes, `retention` is seconds. */
export interface LakeOptions extends LakeOptionsInput, CacheOptions {
  cache_size: number;
  cache: string;
  compression: LakeCompression;
  file_size: number;
  retention: number;
  slice_size: number;
}

const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));

export const lakeOptions: z.ZodType<LakeOptions, LakeOptionsInput> = z
  .strictObject({
    path: z
      .string()
      .trim()
      .min(1)
      .describe(
        'Folder of the lake, relative to the project, or `s3://<bucket>/<prefix>`; made when it does not exist, but for the bucket.',
      )
      .meta({ examples: ['./lake', 's3://company-lake/sales'] }),
    ...storageFields,
    ...cacheFields,
    compression: z
      .enum(['zstd', 'snappy', 'gzip', 'none'])
      .default('zstd')
      .describe('Compression inside the Parquet files; snappy is the most widely read.'),
    row_group_rows: z
      .int()
      .min(2048)
      .max(10_000_000)
      .optional()
      .describe('Rows of one row group; chosen by the width of the rows when absent.'),
    file_size: size
      .refine((bytes) => bytes >= 1_000_000, 'must be at least 1 MB')
      .default(256_000_000)
      .describe('A file is closed when it has reached this size: "256 MB" (default).'),
    retention: duration
      .default(3600)
      .describe(
        'How long files that a newer load has replaced stay for readers that still use them; default "1 hour".',
      ),
    slice_size: size
      .refine((bytes) => bytes >= 64_000, 'must be at least 64 KB')
      .default(256_000_000)
      .describe(
        'When a lake is read: how many bytes of its files one part of a first load covers; parts are read in parallel, and an interrupted load goes on after the last finished one; default "256 MB".',
      ),
  })
  .describe('A folder, or a bucket, of Parquet files with commits, readable by anything that reads Parquet.');
