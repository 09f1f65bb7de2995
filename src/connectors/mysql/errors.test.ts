import { describe, expect, it } from 'vitest';
import { mysqlError } from './errors.ts';

function told(errno: number, message: string): { code: string; recovery: string; message: string } {
  const {
    code,
    recovery,
    message: text,
  } = mysqlError(Object.assign(new Error(message), { errno }), 'loading');
  return { code, recovery, message: text };
}

describe('errors of the server', () => {
  it.each([
    [4025, 'CONSTRAINT `few` failed for `db`.`t`', 'mysql.constraint', 'data'],
    [1048, "Column 'note' cannot be null", 'mysql.constraint', 'data'],
    [1644, 'not on Sundays', 'mysql.raised', 'data'],
    [1290, 'The MariaDB server is running with the --read-only option', 'mysql.read_only', 'config'],
  ])('%i is told by what is refused', (errno, message, code, recovery) => {
    expect(told(errno, message)).toEqual({ code, recovery, message: `loading: ${message}` });
  });

  it.each([
    [1062, "Duplicate entry 'it's a\nsecret' for key 'lone'", "Duplicate entry for key 'lone'"],
    [
      1366,
      "Incorrect integer value: 'secret' for column `c` at row 1",
      'Incorrect integer value: for column `c` at row 1',
    ],
    [1292, "Truncated incorrect DOUBLE value: 'secret'", 'Truncated incorrect DOUBLE value:'],
  ])('%i shows no value', (errno, message, shown) => {
    expect(told(errno, message).message).toBe(`loading: ${shown}`);
  });
});
