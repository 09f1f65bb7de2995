import { z } from 'zod';
import { exportPathMistake } from '../../core/export.ts';
import { inSchema, parseSize } from '../../core/units.ts';
import {
  cacheFields,
  type CacheOptionsInput,
  storageFields,
  type StorageOptionsInput,
} from '../shared/storage-options.ts';

/** Files as the user writes them. */
export interface FilesOptionsInput extends StorageOptionsInput, CacheOptionsInput {
  slice_size?: string | number | undefined;
  export?: string | undefined;
}

/** The same after parsing: sizes are bytes. */
export interface FilesConnection extends FilesOptionsInput {
  cache: string;
  cache_size: number;
  slice_size: number;
}

const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));

export const filesOptions: z.ZodType<FilesConnection, FilesOptionsInput> = z
  .strictObject({
    path: z
      .string()
      .trim()
      .min(1)
      .describe(
        'Folder of the files, relative to the project, or `s3://<bucket>/<prefix>`; for exports made when it does not exist, but for the bucket.',
      )
      .meta({ examples: ['./landing', 's3://company-landing/daily'] }),
    ...storageFields,
    ...cacheFields,
    slice_size: size
      .refine((bytes) => bytes >= 1_000_000, 'must be at least 1 MB')
      .default(64_000_000)
      .describe(
        'Bytes of files that one slice has: small files share one, and files that can be cut have several; default "64 MB".',
      ),
    export: z
      .string()
      .superRefine((written, context) => {
        const mistake = exportPathMistake(written);
        if (mistake !== undefined) context.addIssue(mistake);
      })
      .optional()
      .describe(
        'When files are written: which file a stream becomes that does not say so itself; "{table}_{date}.csv" when absent.',
      )
      .meta({ examples: ['{table}_{date}.csv.gz'] }),
  })
  .describe('Files in a folder, or a bucket: loaded once each, or written.');
