/** What MariaDB alone does to those who write to it: its settings, its rights. */
import type { Attack } from '../attack.ts';
import type { MysqlTargetSide } from '../mysql-target-side.ts';
import type { Pair } from '../pair.ts';
import type { PostgresSide } from '../postgres-side.ts';
import { errorOf, expectError } from './expect.ts';
import { TABLES, write } from './source-tables.ts';
import { heals, openReplica, TARGET } from './target-ground.ts';

type MysqlReplica = Pair<PostgresSide, MysqlTargetSide>;

const MYSQL_TARGET: typeof TARGET = { ...TARGET, pairs: ['postgres-mysql'] };

/** Of the server, so that every session begins with them. */
const ODD: readonly Record<string, string>[] = [
  {
    'sql-mode': 'ANSI,NO_BACKSLASH_ESCAPES,TRADITIONAL,PAD_CHAR_TO_FULL_LENGTH',
    'character-set-server': 'latin1',
    'collation-server': 'latin1_german1_ci',
    'default-time-zone': '+05:45',
    'default-storage-engine': 'Aria',
    'innodb-default-row-format': 'compact',
    'transaction-isolation': 'SERIALIZABLE',
    'explicit-defaults-for-timestamp': 'OFF',
    autocommit: '0',
  },
  {
    'sql-mode': '',
    'character-set-server': 'utf8mb3',
    'lower-case-table-names': '1',
    'local-infile': '0',
    'wait-timeout': '1',
    'interactive-timeout': '1',
    'net-read-timeout': '1',
    'net-write-timeout': '1',
    'max-statement-time': '0.3',
    'idle-transaction-timeout': '1',
    'idle-write-transaction-timeout': '1',
    'innodb-strict-mode': 'OFF',
    'max-allowed-packet': '1M',
    'innodb-rollback-on-timeout': 'ON',
  },
];

const settings: Attack<MysqlReplica> = {
  ...MYSQL_TARGET,
  name: 'target-mysql-settings',
  tries:
    'The server that is written to has other character sets, time zone, sql_mode, storage engine, isolation, short timeouts, small packets, names in small letters, no LOAD DATA LOCAL, and no autocommit',
  async run(arena) {
    for (const odd of ODD) {
      arena.say(Object.keys(odd).join(', '));
      const pair = await openReplica(arena, 3000, TABLES, { target: { settings: odd } });
      // Where nothing is taken in bulk, that cannot be asked for.
      pair.defaults = {};
      for (let run = 0; run < 2; run++) {
        arena.tally.faults++;
        await heals(arena, pair);
        await write(pair, 1000);
      }
      await heals(arena, pair);
    }
    return 'works';
  },
};

const rights: Attack<MysqlReplica> = {
  ...MYSQL_TARGET,
  name: 'target-mysql-rights',
  tries:
    'The account may not make tables, not change them, not write to them, or the whole server is read-only',
  async run(arena) {
    const codes = new Set<string>();
    const pair = await openReplica(arena, 100, ['merged', 'replaced'], { target: { own: true } });
    const database = new URL(pair.to.url).pathname.slice(1);
    const refuse = async (code: string): Promise<void> => {
      arena.tally.faults++;
      const error = await errorOf(pair);
      if (!error) throw new Error(`the run went well; expected ${code}`);
      expectError(error, { codes: [code], names: [] });
      codes.add(error.code);
    };
    const grant = (what: string): Promise<unknown> =>
      pair.to.query(`GRANT ${what} ON ${database}.* TO writer`);
    await pair.to.query('CREATE OR REPLACE USER writer');
    pair.to.connection = { ...pair.to.connection, url: pair.to.urlOf('writer') };
    await refuse('mysql.login_refused');
    await grant('SELECT');
    await refuse('mysql.permission');
    await grant('CREATE, INSERT, UPDATE, DELETE');
    await refuse('mysql.permission');
    await grant('ALTER, DROP, INDEX, CREATE TEMPORARY TABLES');
    await heals(arena, pair);
    await write(pair, 5);
    await pair.to.query(`REVOKE UPDATE ON ${database}.* FROM writer`);
    await refuse('mysql.permission');
    await grant('UPDATE');
    await heals(arena, pair);
    await write(pair, 5);
    await pair.to.query('SET GLOBAL read_only = ON');
    await refuse('mysql.read_only');
    await pair.to.query('SET GLOBAL read_only = OFF');
    await heals(arena, pair);
    return `${[...codes].join(', ')}, then whole`;
  },
};

export const MYSQL_TARGET_FAULTS: readonly Attack<MysqlReplica>[] = [settings, rights];
