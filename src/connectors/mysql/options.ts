import { z } from 'zod';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';

type MysqlTls = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** A MySQL or MariaDB connection as the user writes it. Single options go over what `url` says. */
export interface MysqlOptionsInput {
  url?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  socket?: string | undefined;
  database?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  tls?: MysqlTls | undefined;
  tls_ca?: string | undefined;
  tls_cert?: string | undefined;
  tls_key?: string | undefined;
  application_name?: string | undefined;
  connect_timeout?: string | number | undefined;
  statement_timeout?: string | number | undefined;
  lock_timeout?: string | number | undefined;
  stall_timeout?: string | number | undefined;
  global_lock?: boolean | undefined;
  tinyint1_as_bool?: boolean | undefined;
  schemas?: string[] | undefined;
  slice_size?: string | number | undefined;
  indexes?: boolean | undefined;
  foreign_keys?: boolean | undefined;
  keep_indexes?: boolean | undefined;
}

/** The same after parsing: durations are seconds, sizes are bytes. */
export interface MysqlOptions extends MysqlOptionsInput {
  connect_timeout: number;
  statement_timeout?: number | undefined;
  lock_timeout: number;
  stall_timeout: number;
  global_lock: boolean;
  tinyint1_as_bool: boolean;
  slice_size: number;
  indexes: boolean;
  foreign_keys: boolean;
  keep_indexes: boolean;
}

const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));
const text = z.string().trim().min(1);

/** About one file of a lake. */
const SLICE_BYTES = 2 ** 30;

export const mysqlOptions: z.ZodType<MysqlOptions, MysqlOptionsInput> = z
  .strictObject({
    url: text
      .regex(/^(mysql|mariadb):\/\//i, 'expected a URL such as mysql://user@host:3306/database')
      .optional()
      .meta({
        description:
          'Where the server is, mysql://user@host:3306/database or mariadb://…. Keep the password out of the file: "${SHOP_URL}" takes the whole URL from an environment variable. The other options go over it.',
        examples: ['${SHOP_URL}'],
        secret: true,
      }),
    host: text.optional().describe('Host name or address; 127.0.0.1 when absent.'),
    port: z.int().min(1).max(65_535).optional().describe('Port of the server; 3306 when absent.'),
    socket: text.optional().describe('Path of the Unix socket, in place of host and port.'),
    database: text
      .optional()
      .describe(
        'Database that names without one belong to; without it every stream is named database.table.',
      ),
    user: text.optional().describe('Account to connect as; it needs SELECT on the tables that are read.'),
    password: z
      .string()
      .optional()
      .meta({
        description:
          'Password of the account; take it from an environment variable. Also completes a url without one.',
        examples: ['${SHOP_PASSWORD}'],
        secret: true,
      }),
    tls: z
      .enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full'])
      .optional()
      .describe(
        'Encryption: prefer when neither this nor the url (?ssl-mode=) says otherwise. Only verify-ca and verify-full make sure that the server is the right one.',
      ),
    tls_ca: text.optional().describe('File with the certificate authorities to trust, PEM.'),
    tls_cert: text.optional().describe('File with the client certificate, PEM.'),
    tls_key: text.optional().describe('File with the key of the client certificate, PEM.'),
    application_name: text
      .optional()
      .describe('Name shown as program_name in the connection attributes; sluice when absent.'),
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
    global_lock: z
      .boolean()
      .default(true)
      .describe(
        'Allow FLUSH TABLES WITH READ LOCK for some milliseconds when a run begins, where nothing else lets several connections see one moment. Without it, one connection reads everything on such servers.',
      ),
    tinyint1_as_bool: z
      .boolean()
      .default(false)
      .describe(
        'Load tinyint(1) as bool. Values other than 0 and 1 become true and are counted, so it is off by default.',
      ),
    schemas: z
      .array(text)
      .min(1)
      .optional()
      .describe(
        'Databases to look for tables in; the one of the connection when absent, or all without one.',
      ),
    slice_size: size
      .refine((bytes) => bytes >= 64_000, 'must be at least 64 KB')
      .default(SLICE_BYTES)
      .describe(
        'How much of a large table one part of its first load covers: parts are ranges of the primary key, are read in parallel, and an interrupted load goes on after the last finished one; default "1 GiB".',
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
  })
  .describe('A MySQL or MariaDB server.');
