import { z } from 'zod';

/** A DuckDB file as the user writes it. */
export interface DuckdbOptionsInput {
  path: string;
  schema?: string | undefined;
}

/** The same after parsing. */
export interface DuckdbOptions extends DuckdbOptionsInput {
  schema: string;
}

export const duckdbOptions: z.ZodType<DuckdbOptions, DuckdbOptionsInput> = z
  .strictObject({
    path: z
      .string()
      .trim()
      .min(1)
      .describe('The database file, relative to the project; made by the first load when it does not exist.')
      .meta({ examples: ['./warehouse.duckdb'] }),
    schema: z
      .string()
      .trim()
      .min(1)
      .default('main')
      .describe(
        'Schema that tables are written to, made when it does not exist, and that streams without one are read from; "main" (default).',
      ),
  })
  .describe('A DuckDB database file, read and written by the DuckDB that Sluice brings.');
