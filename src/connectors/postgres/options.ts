import { z } from 'zod';
import {
  type ServerOptions,
  type ServerOptionsInput,
  sliceSize,
  tablesMade,
  text,
  timeouts,
  tlsFiles,
  tlsMode,
} from '../shared/server-options.ts';

interface OwnInput {
  url?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  row_security?: boolean | undefined;
  schema?: string | undefined;
}

/** A PostgreSQL connection as the user writes it. Single options go over what `url` says. */
export interface PostgresOptionsInput extends ServerOptionsInput, OwnInput {}

/**
 * The same after parsing. What a URL can say as well (`?sslmode=verify-full`) has no default here, or the default would go over
 * the URL.
 */
export interface PostgresOptions extends ServerOptions, OwnInput {
  row_security: boolean;
  schema: string;
}

export const postgresOptions: z.ZodType<PostgresOptions, PostgresOptionsInput> = z
  .strictObject({
    url: text
      .regex(/^postgres(?:ql)?:\/\//i, 'expected a URL such as postgres://user@host:5432/database')
      .optional()
      .meta({
        description:
          'Where the database is, postgres://user@host:5432/database. Keep the password out of the file: "${SHOP_URL}" takes the whole URL from an environment variable. The other options go over it.',
        examples: ['${SHOP_URL}'],
        secret: true,
      }),
    host: text.optional().describe('Host name, address, or folder of the Unix socket.'),
    port: z.int().min(1).max(65_535).optional().describe('Port of the server; 5432 when absent.'),
    database: text.optional().describe('Name of the database.'),
    user: text.optional().describe('Role to connect as; it needs SELECT on the tables that are read.'),
    password: z
      .string()
      .optional()
      .meta({
        description:
          'Password of the role; take it from an environment variable. Also completes a url without one.',
        examples: ['${SHOP_PASSWORD}'],
        secret: true,
      }),
    tls: tlsMode.describe(
      'Encryption, as sslmode in libpq: prefer when neither this nor the url says otherwise. Only verify-ca and verify-full make sure that the server is the right one.',
    ),
    ...tlsFiles,
    application_name: text.optional().describe('Name shown in pg_stat_activity; sluice when absent.'),
    ...timeouts,
    row_security: z
      .boolean()
      .default(false)
      .describe(
        'Load only the rows that row level security shows to the role. By default a table with policies for the role is refused, because rows would be missing without a word.',
      ),
    schemas: z
      .array(text)
      .min(1)
      .optional()
      .describe('Schemas to look for tables in; all that the role may use when absent.'),
    slice_size: sliceSize(''),
    ...tablesMade,
    schema: text.default('public').describe('Schema that tables are written to; made when it is not there.'),
  })
  .describe('A PostgreSQL database.');
