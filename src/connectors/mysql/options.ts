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
  socket?: string | undefined;
  global_lock?: boolean | undefined;
  tinyint1_as_bool?: boolean | undefined;
}

/** A MySQL or MariaDB connection as the user writes it. Single options go over what `url` says. */
export interface MysqlOptionsInput extends ServerOptionsInput, OwnInput {}

/** The same after parsing. */
export interface MysqlOptions extends ServerOptions, OwnInput {
  global_lock: boolean;
  tinyint1_as_bool: boolean;
}

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
    tls: tlsMode.describe(
      'Encryption: prefer when neither this nor the url (?ssl-mode=) says otherwise. Only verify-ca and verify-full make sure that the server is the right one.',
    ),
    ...tlsFiles,
    application_name: text
      .optional()
      .describe('Name shown as program_name in the connection attributes; sluice when absent.'),
    ...timeouts,
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
    slice_size: sliceSize('ranges of the primary key, are '),
    ...tablesMade,
  })
  .describe('A MySQL or MariaDB server.');
