/** What connections to all database servers are told, in the same words. */
import { z } from 'zod';
import { inSchema, parseDuration, parseSize } from '../../core/units.ts';

export interface ServerOptionsInput {
  database?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  tls?: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | undefined;
  tls_ca?: string | undefined;
  tls_cert?: string | undefined;
  tls_key?: string | undefined;
  application_name?: string | undefined;
  connect_timeout?: string | number | undefined;
  statement_timeout?: string | number | undefined;
  lock_timeout?: string | number | undefined;
  stall_timeout?: string | number | undefined;
  schemas?: string[] | undefined;
  slice_size?: string | number | undefined;
  indexes?: boolean | undefined;
  foreign_keys?: boolean | undefined;
  keep_indexes?: boolean | undefined;
}

/** The same after parsing: durations are seconds, sizes are bytes. */
export interface ServerOptions extends ServerOptionsInput {
  connect_timeout: number;
  statement_timeout?: number | undefined;
  lock_timeout: number;
  stall_timeout: number;
  slice_size: number;
  indexes: boolean;
  foreign_keys: boolean;
  keep_indexes: boolean;
}

const duration = z.union([z.string(), z.number()]).transform(inSchema(parseDuration));
const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));
export const text: z.ZodString = z.string().trim().min(1);

/** About one file of a lake. */
const SLICE_BYTES = 2 ** 30;

type Text = z.ZodOptional<z.ZodString>;
type Amount = z.ZodType<number, string | number>;
type TlsMode = NonNullable<ServerOptionsInput['tls']>;

export const tlsMode: z.ZodOptional<z.ZodEnum<{ [K in TlsMode]: K }>> = z
  .enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full'])
  .optional();

export const tlsFiles: Record<'tls_ca' | 'tls_cert' | 'tls_key', Text> = {
  tls_ca: text.optional().describe('File with the certificate authorities to trust, PEM.'),
  tls_cert: text.optional().describe('File with the client certificate, PEM.'),
  tls_key: text.optional().describe('File with the key of the client certificate, PEM.'),
};

export const timeouts: Record<'connect_timeout' | 'lock_timeout' | 'stall_timeout', z.ZodDefault<Amount>> &
  Record<'statement_timeout', z.ZodOptional<Amount>> = {
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
};

/** `parts` says what they are. */
export function sliceSize(parts: string): z.ZodDefault<Amount> {
  return size
    .refine((bytes) => bytes >= 64_000, 'must be at least 64 KB')
    .default(SLICE_BYTES)
    .describe(
      `How much of a large table one part of its first load covers: parts are ${parts}read in parallel, and an interrupted load goes on after the last finished one; default "1 GiB".`,
    );
}

/** Of connections that are written to. */
export const tablesMade: Record<'indexes' | 'foreign_keys' | 'keep_indexes', z.ZodDefault<z.ZodBoolean>> = {
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
};
