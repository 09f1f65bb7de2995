/** Tables of MariaDB become files as those of others do; what is NULL and what is empty stays so. */
import { describe, expect, it } from 'vitest';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { Exports } from '../support/exports.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';

const server = useMariadb();

describe.runIf(mariadbPresent)('a table of MariaDB', () => {
  it('is a file with all of its values', async () => {
    const side = await MysqlSide.open(server());
    await side.query(`CREATE TABLE t (
        id bigint unsigned PRIMARY KEY, v varchar(20), d decimal(30,10), at datetime(6), ts timestamp(6) NULL, b varbinary(9), j json, f double, y tinyint(1))`);
    await side.query(
      `INSERT INTO t VALUES (18446744073709551615, '', 12345678901234567890.0123456789, '2026-01-02 03:04:05.000006', '2026-01-02 03:04:05.123456', x'00ff', '{"a": [1, null]}', 0.1, 1),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'ä"\\n,', -0.5, '2026-01-02', '2026-01-02 00:00:00', '', '"x"', -1e300, 0)`,
    );
    await using to = new Exports({ type: 'mysql', url: side.url }, {});
    for (const ending of ['csv', 'jsonl']) {
      to.streams = { [`${side.database}.t`]: { table: 't', export: `t.${ending}` } };
      await to.run();
    }
    expect(
      to
        .text('t.csv')
        .split(/\n(?=\d|$)/)
        .sort(),
    ).toEqual(
      [
        '',
        'id,v,d,at,ts,b,j,f,y',
        '18446744073709551615,"",12345678901234567890.0123456789,2026-01-02 03:04:05.000006,2026-01-02 03:04:05.123456+00,\\x00ff,"{""a"": [1, null]}",0.1,1',
        '2,,,,,,,,',
        '3,"ä""\n,",-0.5000000000,2026-01-02 00:00:00,2026-01-02 00:00:00+00,\\x,"""x""",-1e+300,0',
      ].sort(),
    );
    expect(to.text('t.jsonl').trimEnd().split('\n').sort()).toEqual(
      [
        '{"id":18446744073709551615,"v":"","d":12345678901234567890.0123456789,"at":"2026-01-02T03:04:05.000006","ts":"2026-01-02T03:04:05.123456Z","b":"\\\\x00ff","j":{"a": [1, null]},"f":0.1,"y":1}',
        '{"id":2,"v":null,"d":null,"at":null,"ts":null,"b":null,"j":null,"f":null,"y":null}',
        '{"id":3,"v":"ä\\"\\n,","d":-0.5000000000,"at":"2026-01-02T00:00:00","ts":"2026-01-02T00:00:00Z","b":"\\\\x","j":"x","f":-1e+300,"y":0}',
      ].sort(),
    );
  });
});
