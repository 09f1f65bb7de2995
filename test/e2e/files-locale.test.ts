/** Numbers and dates that are written as some countries do: only where the contract says that they are some. */
import { describe, expect, it } from 'vitest';
import { quarantine } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

const TEXT =
  'id;amount;at;code\n1;1.234,56;31.12.2025;1,5\n2;-7,5;1.2.2026 7:30;2,5\n3;12 %;02/13/2026;3,5\n';

describe('files of other countries', () => {
  it('have exact numbers and dates in columns that are pinned, and text in others', async () => {
    await using pair = new FileLake({
      files: { path: '*.csv', decimal: ',', thousands: '.', date: 'DD.MM.YYYY' },
      types: { amount: 'decimal(12,2)', at: 'timestamp' },
    });
    pair.write('a.csv', TEXT);
    expect((await pair.plan()).streams[0]!.sql).toContain('decimal ",", thousands ".", dates DD.MM.YYYY');
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2, quarantined: 1 } });
    expect(await pair.query('SELECT * EXCLUDE (_sluice_file) FROM t ORDER BY id')).toEqual([
      [1, '1234.56', '2025-12-31 00:00:00', '1,5'],
      [2, '-7.50', '2026-02-01 07:30:00', '2,5'],
    ]);
    await pair.context();
    const bad = await Array.fromAsync(quarantine.read(`${pair.folder}/sluice.yaml`, 'p'));
    expect(bad).toMatchObject([{ line: 4, column: 'amount', code: 'row.type' }]);
  });

  it('are read again with the options of now', async () => {
    await using pair = new FileLake({
      files: { path: '*.csv' },
      types: { amount: 'decimal(12,2)', at: 'timestamp' },
      max_bad: '100 %',
    });
    pair.write('a.csv', TEXT);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 0, quarantined: 3 } });
    pair.stream = {
      ...pair.stream,
      files: { path: '*.csv', decimal: ',', thousands: '.', date: 'DD.MM.YYYY' },
    };
    await pair.context();
    const report = await quarantine.replay(`${pair.folder}/sluice.yaml`, 'p');
    expect(report!.streams[0]).toMatchObject({ totals: { loaded: 2, quarantined: 1 } });
    expect(await pair.query('SELECT id, amount, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, '1234.56', 'a.csv'],
      [2, '-7.50', 'a.csv'],
    ]);
  });

  it('say what is between digits, and mean one thing by it', async () => {
    await using pair = new FileLake({ files: { path: '*.csv', thousands: '.' } });
    await expect(pair.plan()).rejects.toThrow('"." cannot be both `decimal` and `thousands`');
    pair.stream = { files: { path: '*.csv', date: 'DD.MM.YY' } };
    await expect(pair.plan()).rejects.toThrow('DD.MM.YYYY');
  });
});
