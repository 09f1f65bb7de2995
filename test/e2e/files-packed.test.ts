/** Files that are packed, and archives that are one file with several texts. */
import { describe, expect, it } from 'vitest';
import { quarantine } from '../../src/index.ts';
import { BZIP2 } from '../../src/connectors/shared/text/packed.fixture.ts';
import { FileLake } from '../support/file-lake.ts';
import { makeZip } from '../support/zip-archive.ts';

describe('packed files', () => {
  it('are loaded as what they hold, and damaged ones by no row while the others are', async () => {
    await using pair = new FileLake({ files: '*', types: { id: 'int64' } });
    const damaged = Buffer.from(BZIP2.streams);
    damaged[damaged.length - 30]! ^= 1;
    pair.write('a.csv.bz2', damaged);
    pair.write('b.csv.bz2', BZIP2.streams);
    pair.write('c.zip', makeZip([{ name: 'c.csv', text: 'id,name\n3,x\n' }]).subarray(0, -1));
    const good = { name: 'a.csv', text: 'id,name\n8,x\n' };
    pair.write('d.zip', makeZip([good, { name: 'b.csv', text: 'id,name\n9,x\n', says: { crc32: 7 } }]));
    pair.write('e.zip', makeZip([{ ...good, says: { flags: 0x801 } }]));
    const report = await pair.report();
    expect(report.streams[0]).toMatchObject({
      status: 'failed',
      totals: { loaded: 2 },
      error: { message: expect.stringContaining('(and 3 other files)') },
    });
    expect(await pair.query('SELECT id, name, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, 'one', 'b.csv.bz2'],
      [2, 'two', 'b.csv.bz2'],
    ]);
    const { warnings } = await pair.plan();
    expect(warnings.map(({ message }) => message)).toEqual([
      'reading "c.zip": its zip data is broken or ends too early',
      'reading "e.zip/a.csv": it is encrypted',
      'reading "a.csv.bz2": its bzip2 data is broken or ends too early',
      'reading "d.zip/b.csv": its zip data is broken or ends too early',
    ]);
    pair.write('d.zip', makeZip([good]));
    for (const name of ['a.csv.bz2', 'c.zip', 'e.zip']) pair.write(name, BZIP2.streams.subarray(0, 0));
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
  });

  it('an archive is one file of the ledger, whose entries are read one after the other', async () => {
    await using pair = new FileLake({ files: { path: '*.zip', changed: 'reload' }, types: { n: 'int64' } });
    const entries = [
      { name: 'in/b.csv', text: 'n,id\n20,2\nx,3\n' },
      { name: 'a.csv', text: 'id,n\n1,10\n' },
      { name: '__MACOSX/._a.csv', text: 'junk' },
      { name: 'readme.md', text: '# about' },
      { name: 'c.csv', text: '' },
    ];
    pair.write('t_20260101.zip', makeZip(entries));
    expect((await pair.plan()).warnings).toMatchObject([
      { code: 'files.skipped', message: expect.stringContaining('t_20260101.zip/readme.md') },
    ]);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 2, quarantined: 1 } });
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    const rows = 'SELECT id, n, snapshot_date, _sluice_file FROM t ORDER BY id';
    expect(await pair.query(rows)).toEqual([
      [1, 10, '2026-01-01', 't_20260101.zip'],
      [2, 20, '2026-01-01', 't_20260101.zip'],
    ]);
    await pair.context();
    const project = `${pair.folder}/sluice.yaml`;
    const [bad] = await Array.fromAsync(quarantine.read(project, 'p'));
    expect(bad).toMatchObject({ file: 't_20260101.zip/in/b.csv', line: 3, raw: 'x,3' });

    // Touched: another time. Changed: its rows go, and what it has put aside.
    pair.age('t_20260101.zip', 30);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    pair.write('t_20260101.zip', makeZip([...entries, { name: 'd.csv', text: 'id,n\n4,40\n5,y\n' }]));
    expect(await pair.run()).toMatchObject({ totals: { loaded: 3, quarantined: 2 } });
    expect(await pair.query(rows)).toHaveLength(3);
    const left = await Array.fromAsync(quarantine.read(project, 'p'));
    expect(left.map(({ file, line }) => [file, line])).toEqual([
      ['t_20260101.zip/d.csv', 3],
      ['t_20260101.zip/in/b.csv', 3],
    ]);
  });

  it('records of an archive that fit by now become its rows', async () => {
    await using pair = new FileLake({ files: '*.zip', types: { n: 'int64' } });
    pair.write('a.zip', makeZip([{ name: 'x.csv', text: 'id;n\n1;NA\n2;3\n' }]));
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1, quarantined: 1 } });
    pair.stream = { files: { path: '*.zip', null: 'NA' }, types: { n: 'int64' } };
    await pair.context();
    await quarantine.replay(`${pair.folder}/sluice.yaml`, 'p', { select: ['t'] });
    expect(await pair.query('SELECT id, n, _sluice_file FROM t ORDER BY id')).toEqual([
      [1, null, 'a.zip'],
      [2, 3, 'a.zip'],
    ]);
  });

  it('texts of two formats are no stream', async () => {
    await using pair = new FileLake({ files: '*' });
    pair.write('a.zip', makeZip([{ name: 'x.csv', text: 'id\n1\n' }]));
    pair.write('b.jsonl', '{"id":2}\n');
    expect((await pair.report()).streams[0]!.error).toMatchObject({
      code: 'files.mixed',
      message: 'looking at files: "a.zip/x.csv" is csv, "b.jsonl" is json',
    });
  });
});
