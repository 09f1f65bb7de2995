/** What every ObjectStorage promises (src/core/storage.ts), as tests. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ByteRange, ObjectStorage } from '../../src/core/storage.ts';

export interface StorageSuite {
  name: string;
  /** An empty storage; `folder` is for what it needs on this machine. */
  open(folder: string): Promise<ObjectStorage>;
  /** Puts an object there that has no bytes, or other ones, as somebody else would. */
  write(key: string, bytes: Uint8Array): Promise<void>;
}

const CONTENT = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 31) % 251));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export function testStorage(suite: StorageSuite): void {
  let folder: string;
  let storage: ObjectStorage;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-storage-'));
    storage = await suite.open(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const text = async (key: string): Promise<string | undefined> => {
    const found = await storage.get(key);
    return found === undefined ? undefined : new TextDecoder().decode(found);
  };
  const keys = async (prefix: string, startAfter?: string): Promise<string[]> =>
    (await storage.list(prefix, { startAfter })).map(({ key }) => key);
  const read = async (key: string, range?: ByteRange): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of storage.read(key, range)) parts.push(part);
    return Buffer.concat(parts);
  };

  describe(`${suite.name}: writing`, () => {
    it('creates an object once', async () => {
      expect(await storage.get('a/b.json')).toBeUndefined();
      expect(await storage.putIfAbsent('a/b.json', bytes('first'))).toBe(true);
      expect(await storage.putIfAbsent('a/b.json', bytes('second'))).toBe(false);
      expect(await storage.putIfAbsent('a/b.json', bytes('first'))).toBe(false);
      expect(await text('a/b.json')).toBe('first');
      expect(await keys('')).toEqual(['a/b.json']);
    });

    it('lets one of many callers win', async () => {
      const attempts = Array.from({ length: 20 }, (_, index) =>
        storage.putIfAbsent('a/b', bytes(`caller ${index}`)),
      );
      const wins = (await Promise.all(attempts)).flatMap((won, index) => (won ? [index] : []));
      expect(wins).toHaveLength(1);
      expect(await text('a/b')).toBe(`caller ${wins[0]}`);
    });

    it('replaces an object', async () => {
      await storage.put('a.json', bytes('first'));
      await storage.put('a.json', bytes('second'));
      expect(await text('a.json')).toBe('second');
      expect(await keys('')).toEqual(['a.json']);
    });

    it('refuses objects without bytes', async () => {
      const nothing = new Uint8Array();
      await expect(storage.put('y', nothing)).rejects.toMatchObject({ code: 'storage.empty_object' });
      await expect(storage.putIfAbsent('y', nothing)).rejects.toMatchObject({ code: 'storage.empty_object' });
      expect(await storage.list('', { empty: true })).toEqual([]);
    });

    it('takes over a finished file', async () => {
      const local = join(folder, 'staged.parquet');
      for (const content of ['first', 'second']) {
        writeFileSync(local, content);
        await storage.upload('orders/x.parquet', local);
        expect(await text('orders/x.parquet')).toBe(content);
        expect(existsSync(local)).toBe(false);
      }
      await expect(storage.upload('orders/y.parquet', local)).rejects.toMatchObject({
        code: 'storage.missing',
      });
    });

    it('deletes objects, also such as are not there', async () => {
      for (const key of ['a/1', 'a/2', 'b']) await storage.put(key, bytes('x'));
      await storage.delete(['a/1', 'missing', 'b', 'd/none']);
      expect(await keys('')).toEqual(['a/2']);
      await storage.delete([]);
    });
  });

  describe(`${suite.name}: reading`, () => {
    it('has nothing before the first write', async () => {
      expect(await storage.list('')).toEqual([]);
      expect(await storage.get('x')).toBeUndefined();
      await storage.delete(['x', 'y/z']);
    });

    it('gives the bytes that were asked for', async () => {
      await storage.put('a/b', CONTENT);
      expect((await read('a/b')).equals(CONTENT)).toBe(true);
      const ranges: ByteRange[] = [
        { from: 0, to: 1 },
        { from: 3 },
        { from: 999_999 },
        { from: 262_143, to: 262_145 },
        { from: 500_000, to: 2_000_000 },
        { from: 7, to: 7 },
        { from: 1_000_000 },
        { from: 5_000_000, to: 5_000_001 },
      ];
      for (const range of ranges) {
        const expected = CONTENT.subarray(range.from, range.to);
        expect((await read('a/b', range)).equals(expected), JSON.stringify(range)).toBe(true);
      }
    });

    it('gives parts that belong to the caller', async () => {
      await storage.put('a', CONTENT);
      const parts: Uint8Array[] = [];
      for await (const part of storage.read('a')) parts.push(part);
      expect(parts.length).toBeGreaterThan(1);
      // Later ones have not changed earlier ones.
      expect(Buffer.concat(parts).equals(CONTENT)).toBe(true);
    });

    it('says what is missing', async () => {
      await storage.put('a/b', bytes('x'));
      for (const key of ['x', 'a', 'a/b/c']) {
        for (const range of [undefined, { from: 5 }, { from: 3, to: 3 }])
          await expect(read(key, range), key).rejects.toMatchObject({
            name: 'DataError',
            code: 'storage.missing',
          });
      }
      expect(await storage.get('a')).toBeUndefined();
      expect(await storage.get('a/b/c')).toBeUndefined();
    });

    it('stops when it is told to', async () => {
      await storage.put('a', CONTENT);
      const stop = new AbortController();
      const reading = async (): Promise<void> => {
        for await (const part of storage.read('a', undefined, stop.signal)) if (part.length > 0) stop.abort();
      };
      await expect(reading()).rejects.toMatchObject({ name: 'CancelledError' });
    });

    it('can be left in the middle', async () => {
      await storage.put('a', CONTENT);
      for await (const part of storage.read('a')) {
        expect(part.length).toBeGreaterThan(0);
        break;
      }
      expect((await read('a')).length).toBe(CONTENT.length);
    });

    it('takes an object without bytes for none, but for those who ask', async () => {
      await storage.put('a/full', bytes('x'));
      await suite.write('a/empty', new Uint8Array());
      expect(await keys('a/')).toEqual(['a/full']);
      expect(await storage.get('a/empty')).toBeUndefined();
      expect(await storage.list('a/', { empty: true })).toMatchObject([
        { key: 'a/empty', size: 0 },
        { key: 'a/full', size: 1 },
      ]);
      expect((await read('a/empty')).length).toBe(0);
    });
  });

  describe(`${suite.name}: files for engines`, () => {
    it('lie at their paths until nobody holds them', async () => {
      await storage.put('a/year=2026/x.parquet', bytes('content'));
      await storage.put('b', bytes('b'));
      const one = await storage.fetch(['a/year=2026/x.parquet', 'b', 'b']);
      const two = await storage.fetch(['a/year=2026/x.parquet']);
      one.release();
      expect(readFileSync(storage.localPath('a/year=2026/x.parquet'), 'utf8')).toBe('content');
      two.release();
      await storage.put('b', bytes('new'));
      const three = await storage.fetch(['b']);
      expect(readFileSync(storage.localPath('b'), 'utf8')).toBe('new');
      three.release();
    });

    it('are those that were taken over', async () => {
      const local = join(folder, 'staged.parquet');
      writeFileSync(local, 'content');
      await storage.upload('orders/x.parquet', local);
      const held = await storage.fetch(['orders/x.parquet']);
      expect(readFileSync(storage.localPath('orders/x.parquet'), 'utf8')).toBe('content');
      held.release();
    });
  });

  describe(`${suite.name}: keys`, () => {
    const refused = [
      '',
      '/',
      '/etc/passwd',
      '..',
      '../x',
      'a/../../x',
      'a/..',
      'a//b',
      'a/',
      './a',
      'a/./b',
      'a\0b',
      '\ud800',
    ];

    it.each(refused)('refuses %j', async (key) => {
      const local = join(folder, 'local');
      writeFileSync(local, 'x');
      const expected = { name: 'ConfigError', code: 'storage.invalid_key' };
      expect(() => storage.localPath(key)).toThrow(expect.objectContaining(expected));
      await expect(read(key)).rejects.toMatchObject(expected);
      await expect(storage.get(key)).rejects.toMatchObject(expected);
      await expect(storage.put(key, bytes('x'))).rejects.toMatchObject(expected);
      await expect(storage.putIfAbsent(key, bytes('x'))).rejects.toMatchObject(expected);
      await expect(storage.upload(key, local)).rejects.toMatchObject(expected);
      await expect(storage.delete(['fine', key])).rejects.toMatchObject(expected);
      expect(existsSync(local)).toBe(true);
      expect(await keys('')).toEqual([]);
    });

    it('refuses prefixes that lead out', async () => {
      writeFileSync(join(folder, 'secret'), 'x');
      await expect(storage.list('../')).rejects.toMatchObject({ code: 'storage.invalid_key' });
      await expect(storage.list('a/../../')).rejects.toMatchObject({ code: 'storage.invalid_key' });
      expect(await storage.list('..')).toEqual([]);
    });

    it('takes names that only look odd', async () => {
      const odd = [
        '..a',
        'a..',
        '...',
        'größe=注文/🚚.parquet',
        'o\'r"ders',
        '%2e%2e/x',
        ' ',
        'a b/ c',
        '~',
        '-rf',
        '$HOME',
        'a+b=c&d?e#f',
      ];
      for (const key of odd) expect(await storage.putIfAbsent(key, bytes(key)), key).toBe(true);
      for (const key of odd) expect(await text(key)).toBe(key);
      expect((await keys('')).toSorted()).toEqual(odd.toSorted());
      await storage.delete(odd);
      expect(await keys('')).toEqual([]);
    });
  });

  describe(`${suite.name}: listing`, () => {
    const all = ['a-b', 'a.b', 'a/b/c', 'a0', 'ab/x', 'b', 'é', '\uffee', '🚚'];

    it('orders keys by their bytes', async () => {
      for (const key of all.toReversed()) await storage.put(key, bytes('x'));
      const bytewise = all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(bytewise).not.toEqual(all.toSorted());
      expect(await keys('')).toEqual(bytewise);
      for (const startAfter of ['', ...bytewise, 'a/', 'a/b', 'aa', 'zzz']) {
        const after = bytewise.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(startAfter)) > 0);
        expect(await keys('', startAfter), JSON.stringify(startAfter)).toEqual(after);
      }
      for (const prefix of ['a', 'a/', 'a/b', 'ab/', 'nothing/here/', '🚚']) {
        expect(await keys(prefix), prefix).toEqual(bytewise.filter((key) => key.startsWith(prefix)));
      }
      expect(await keys('a/', 'a/a')).toEqual(['a/b/c']);
    });

    it('tells size and time', async () => {
      const before = Date.now();
      await storage.put('a', bytes('12345'));
      const [object] = await storage.list('');
      expect(object).toMatchObject({ key: 'a', size: 5 });
      expect(Number.isInteger(object!.modifiedAt)).toBe(true);
      expect(Math.abs(object!.modifiedAt - before)).toBeLessThan(5000);
    });

    it('tells contents apart where it says anything of them', async () => {
      const etagNow = async (): Promise<string | undefined> => (await storage.list('a'))[0]!.etag;
      await storage.put('a', bytes('12345'));
      const first = await etagNow();
      await storage.put('a', bytes('54321'));
      const second = await etagNow();
      if (first === undefined) expect(second).toBeUndefined();
      else expect(second).not.toBe(first);
    });
  });
}
