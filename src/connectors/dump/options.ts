import { z } from 'zod';
import { inSchema, parseSize } from '../../core/units.ts';

/** A dump as the user writes it. */
export interface DumpOptionsInput {
  path: string;
  slice_size?: string | number | undefined;
}

/** The same after parsing: sizes are bytes. */
export interface DumpConnection extends DumpOptionsInput {
  slice_size: number;
}

const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));

export const dumpOptions: z.ZodType<DumpConnection, DumpOptionsInput> = z
  .strictObject({
    path: z
      .string()
      .trim()
      .min(1)
      .describe('The file, relative to the project: plain, .gz or .zst.')
      .meta({ examples: ['./shop.sql.gz'] }),
    slice_size: size
      .refine((bytes) => bytes >= 1_000_000, 'must be at least 1 MB')
      .default(64_000_000)
      .describe('Bytes of text that one slice of a table has; default "64 MB".'),
  })
  .describe('A file that pg_dump, mysqldump or mariadb-dump has written, in plain SQL.');
