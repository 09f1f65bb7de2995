/** Roles and databases come with settings of their own; none of them may change what is read. */
import type { Arena, Attack } from '../attack.ts';

/** Settings that change how values print, how names resolve, how long things may take, and what else the server says. */
const SETTINGS: Readonly<Record<string, string>> = {
  timezone: 'Asia/Kathmandu',
  datestyle: 'SQL, DMY',
  intervalstyle: 'iso_8601',
  extra_float_digits: '-15',
  bytea_output: 'escape',
  xmlbinary: 'hex',
  xmloption: 'document',
  client_encoding: 'LATIN1',
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  array_nulls: 'off',
  lc_monetary: 'C',
  search_path: 'shadow, pg_catalog, public',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'on',
  idle_in_transaction_session_timeout: '50ms',
  idle_session_timeout: '0',
  transaction_timeout: '100ms',
  client_min_messages: 'debug5',
  debug_print_plan: 'on',
  enable_seqscan: 'off',
  enable_indexscan: 'off',
  enable_bitmapscan: 'off',
  cursor_tuple_fraction: '0.0001',
  force_parallel_mode: 'on',
  jit: 'on',
  jit_above_cost: '0',
};

/** Functions that stand before those of the server for a careless query. */
const SHADOWS = `
  CREATE SCHEMA shadow;
  CREATE FUNCTION shadow.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1999-01-01' $$;
  CREATE FUNCTION shadow.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '2999-01-01' $$;
  CREATE FUNCTION shadow.format_type(oid, int) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
  CREATE FUNCTION shadow.txid_current_snapshot() RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
  CREATE FUNCTION shadow.pg_current_snapshot() RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
  CREATE TABLE shadow.pg_class (oid oid, relname name);
  CREATE TABLE shadow.pg_attribute (attrelid oid);
  CREATE TABLE shadow.pg_stat_activity (pid int);
  CREATE TABLE shadow.t (id int)`;

const TABLE = `
  CREATE TABLE public.t (id int PRIMARY KEY, at timestamptz DEFAULT now(), local timestamp DEFAULT '2026-03-04 05:06:07.000008',
    day date DEFAULT '2026-03-04', f8 float8 DEFAULT 1/3.0, f4 float4 DEFAULT 0.1, span interval DEFAULT '1 mon 2 days 3.000004 s',
    raw bytea DEFAULT '\\x00ff5c', price money DEFAULT '1234.56', tags text[] DEFAULT '{a,NULL,"x y"}', v text DEFAULT 'naïve ½ 漢');
  INSERT INTO public.t (id, at) SELECT g, now() - interval '1 hour' FROM generate_series(1, 3000) g; ANALYZE public.t`;

async function run(arena: Arena): Promise<string> {
  const pair = await arena.open({ 'public.t': { cursor: 'at', overlap: 0, load: 'merge' } }, TABLE);
  await pair.from.query(SHADOWS);
  const role = `settings_${process.pid}_${arena.seed}`;
  await pair.from.query(`CREATE ROLE ${role} LOGIN; GRANT pg_read_all_data, pg_read_all_stats TO ${role}`);
  for (const [name, value] of Object.entries(SETTINGS)) {
    // Servers of other versions lack some of them.
    const [known] = await pair.from.query(`SELECT 1 FROM pg_settings WHERE name = '${name}'`);
    if (known)
      await pair.from.query(
        `ALTER ROLE ${role} SET ${name} = ${name === 'search_path' ? value : `'${value}'`}`,
      );
    arena.tally.faults++;
  }
  pair.from.connection = { type: 'postgres', url: pair.from.urlOf(role) };
  try {
    await pair.run();
    await arena.verify(pair, ['t']);
    await pair.from.query(`UPDATE public.t SET v = v || '!', at = now() WHERE id % 100 = 0`);
    const { totals } = await pair.run();
    if (totals.loaded !== 30) throw new Error(`30 rows were changed and ${totals.loaded} loaded`);
    await arena.verify(pair, ['t']);
    const { totals: again } = await pair.run();
    if (again.loaded !== 0) throw new Error(`nothing was changed and ${again.loaded} rows loaded`);
  } finally {
    await pair.from.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
  return 'works';
}

export const SESSION_SETTINGS: Attack = {
  name: 'session-settings',
  part: 'hostile',
  promise: 'exact-values',
  tries:
    'The role comes with settings that change how values print, how names resolve and how long transactions may last, and with functions and tables that shadow those of the server',
  rounds: 1,
  brief: true,
  run,
};
