import { z } from 'zod';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';

type PostgresTls = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** A PostgreSQL connection as the user writes it. Single options go over what `url` says. */
export interface PostgresOptionsInput {
  url?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  database?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  tls?: PostgresTls | undefined;
  tls_ca?: string | undefined;
  tls_cert?: string | undefined;
  tls_key?: string | undefined;
  application_name?: string | undefined;
  connect_timeout?: string | number | undefined;
  statement_timeout?: string | number | undefined;
  lock_timeout?: string | number | undefined;
  stall_timeout?: string | number | undefined;
  row_security?: boolean | undefined;
  schemas?: string[] | undefined;
  slice_size?: string | number | undefined;
  schema?: string | undefined;
  indexes?: boolean | undefined;
  foreign_keys?: boolean | undefined;
  keep_indexes?: boolean | undefined;
}

/**
 * The same after parsing: durations are seconds, sizes are bytes. What a URL can say as well (`?sslmode=verify-full`) has no default
 * here, or the default would go over the URL.
 */
export interface PostgresOptions extends PostgresOptionsInput {
  connect_timeout: number;
  statement_timeout?: number | undefined;
  lock_timeout: number;
  stall_timeout: number;
  row_security: boolean;
  slice_size: number;
  schema: string;
  indexes: boolean;
  foreign_keys: boolean;
  keep_indexes: boolean;
}

const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));
const text = z.string().trim().min(1);

/** About one file of a lake. */
const SLICE_BYTES = 2 ** 30;

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
    tls: z
      .enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full'])
      .optional()
      .describe(
        'Encryption, as sslmode in libpq: prefer when neither this nor the url says otherwise. Only verify-ca and verify-full make sure that the server is the right one.',
      ),
    tls_ca: text.optional().describe('File with the certificate authorities to trust, PEM.'),
    tls_cert: text.optional().describe('File with the client certificate, PEM.'),
    tls_key: text.optional().describe('File with the key of the client certificate, PEM.'),
    application_name: text.optional().describe('Name shown in pg_stat_activity; sluice when absent.'),
    connect_timeout: duration
      .default(10)
      .describe('How long to wait for a connection: "10 s" (default), "1 minute".'),
    statement_timeout: duration
      .optional()
      .describe('Longest time for one statement, for example "30 minutes"; no limit when absent.'),
    lock_timeout: duration
      .default(60)
      .describe(
        'Longest time for which each attempt waits for a table that somebody has locked; default "1 minute".',
      ),
    stall_timeout: duration
      .default(30)
      .describe(
        'When a server that is to answer sends nothing for this long, it is asked over another connection whether it still works for us. If not, twice in a row, the connection counts as lost; default "30 s".',
      ),
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
    slice_size: size
      .refine((bytes) => bytes >= 64_000, 'must be at least 64 KB')
      .default(SLICE_BYTES)
      .describe(
        'How much of a large table one part of its first load covers: parts are read in parallel, and an interrupted load goes on after the last finished one; default "1 GiB".',
      ),
    indexes: z
      .boolean()
      .default(true)
      .describe('Give tables that are made the indexes that they have in the source; default true.'),
    foreign_keys: z
      .boolean()
      .default(true)
      .describe(
        'Give tables that are made the foreign keys that they have in the source, once all tables are loaded; default true.',
      ),
    keep_indexes: z
      .boolean()
      .default(false)
      .describe(
        'Leave the indexes of a table on while very many rows are loaded into it, instead of making them again after the load; default false.',
      ),
    schema: text.default('public').describe('Schema that tables are written to; made when it is not there.'),
  })
  .describe('A PostgreSQL database.');
