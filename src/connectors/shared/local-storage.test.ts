import { spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ObjectStorage } from '../../core/storage.ts';
import { openLocalStorage } from './local-storage.ts';

/** Makes a call of node:fs/promises fail with a code, as another file system or a full disk would. */
const faults = vi.hoisted(() => new Map<string, (...values: unknown[]) => string | undefined>());

vi.mock(import('node:fs/promises'), async (importOriginal) => {
  const original = await importOriginal();
  const wrapped: Record<string, unknown> = { ...original };
  for (const name of ['link', 'rename', 'open', 'mkdir', 'unlink', 'readFile', 'readdir', 'stat'] as const) {
    wrapped[name] = (...values: unknown[]): unknown => {
      const code = faults.get(name)?.(...values);
      if (code !== undefined) return Promise.reject(Object.assign(new Error(`${code}: ${name}`), { code }));
      return Reflect.apply(original[name] as (...all: unknown[]) => unknown, original, values);
    };
  }
  return wrapped;
});

let root: string;
let storage: ObjectStorage;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-storage-'));
  storage = openLocalStorage(join(root, 'lake'));
});
afterEach(() => {
  faults.clear();
  rmSync(root, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = async (key: string): Promise<string | undefined> => {
  const found = await storage.get(key);
  return found === undefined ? undefined : new TextDecoder().decode(found);
};
const keys = async (prefix: string): Promise<string[]> => (await storage.list(prefix)).map(({ key }) => key);
/** Everything below a folder, also what listings hide. */
const files = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String).toSorted();

describe('reading and writing', () => {
  it('takes a folder for no object', async () => {
    await storage.put('a/b', bytes('x'));
    expect(await storage.get('a')).toBeUndefined();
    expect(await storage.get('a/b/c')).toBeUndefined();
    await storage.delete(['a', 'a/b/c']);
    expect(await keys('')).toEqual(['a/b']);
    await expect(storage.put('a/b/c', bytes('x'))).rejects.toMatchObject({ code: 'storage.in_the_way' });
    await expect(storage.put('a', bytes('x'))).rejects.toMatchObject({ code: 'storage.in_the_way' });
    expect(files(join(root, 'lake'))).toEqual(['a', 'a/b']);
  });

  it('takes an empty file for none', async () => {
    mkdirSync(join(root, 'lake'));
    writeFileSync(join(root, 'lake', 'x'), '');
    expect(await storage.get('x')).toBeUndefined();
    expect(await storage.list('')).toEqual([]);
    await expect(storage.put('y', new Uint8Array())).rejects.toMatchObject({ code: 'storage.empty_object' });
    expect(files(join(root, 'lake'))).toEqual(['x']);
  });

  it('takes over a file of another disk by copying it', async () => {
    const local = join(root, 'staged.parquet');
    writeFileSync(local, 'content');
    faults.set('rename', (from) => (from === local ? 'EXDEV' : undefined));
    await storage.upload('orders/x.parquet', local);
    expect(await text('orders/x.parquet')).toBe('content');
    expect(existsSync(local)).toBe(false);
    expect(files(join(root, 'lake'))).toEqual(['orders', 'orders/x.parquet']);
  });

  it('keeps the file when it cannot be moved', async () => {
    const local = join(root, 'staged.parquet');
    writeFileSync(local, 'content');
    faults.set('rename', () => 'ENOSPC');
    await expect(storage.upload('orders/x.parquet', local)).rejects.toMatchObject({
      code: 'storage.disk_full',
    });
    expect(readFileSync(local, 'utf8')).toBe('content');
  });

  it('gives paths that an engine can open', async () => {
    await storage.put('orders/year=2026/x.parquet', bytes('x'));
    expect(statSync(storage.localPath('orders/year=2026/x.parquet')).size).toBe(1);
    expect(storage.describe()).toBe(`folder "${join(root, 'lake')}"`);
  });
});

describe('reading ranges', () => {
  const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 31) % 251));
  it('says what keeps it from reading', async () => {
    await storage.put('a/b', bytes('x'));
    faults.set('open', () => 'EACCES');
    await expect(Array.fromAsync(storage.read('a/b'))).rejects.toMatchObject({ code: 'storage.permission' });
  });

  const changes: [string, (file: string) => void][] = [
    ['overwritten', (file) => writeFileSync(file, Buffer.alloc(content.length, 1))],
    ['longer', (file) => writeFileSync(file, 'x', { flag: 'a' })],
    ['shorter', (file) => truncateSync(file, 600_000)],
  ];
  it.each(changes)('notices a file that became %s meanwhile', async (_, change) => {
    await storage.put('a', content);
    const reading = async (): Promise<void> => {
      let changed = false;
      for await (const part of storage.read('a', { from: 10 })) {
        if (!changed && part.length > 0) change(join(root, 'lake', 'a'));
        changed = true;
      }
    };
    await expect(reading()).rejects.toMatchObject({ name: 'TransientError', code: 'storage.changed' });
  });

  it('reads on in the file that it has begun when another takes its place', async () => {
    await storage.put('a', content);
    const parts: Uint8Array[] = [];
    for await (const part of storage.read('a')) {
      if (parts.length === 0) await storage.put('a', bytes('another'));
      parts.push(part);
    }
    expect(Buffer.concat(parts).equals(content)).toBe(true);
  });
});

it('takes names with line breaks', async () => {
  const odd = 'o\'r"d\ners';
  expect(await storage.putIfAbsent(odd, bytes(odd))).toBe(true);
  expect(await keys('')).toEqual([odd]);
});

it('is no folder where a file is', async () => {
  writeFileSync(join(root, 'lake'), 'x');
  await expect(storage.list('a/')).rejects.toMatchObject({ code: 'storage.in_the_way' });
});

describe('listing', () => {
  it('hides unfinished files and sweeps those that nobody finishes', async () => {
    await storage.put('a/b', bytes('x'));
    const [young, old] = ['1-aa', '2-bb'].map((end) => join(root, 'lake', 'a', `.sluice-unfinished-${end}`));
    writeFileSync(young!, 'half');
    writeFileSync(old!, 'half');
    const longAgo = Date.now() / 1000 - 25 * 3600;
    utimesSync(old!, longAgo, longAgo);
    expect(await keys('')).toEqual(['a/b']);
    expect(existsSync(young!)).toBe(true);
    expect(existsSync(old!)).toBe(false);
    await expect(storage.put('a/.sluice-unfinished-x', bytes('x'))).rejects.toMatchObject({
      code: 'storage.invalid_key',
    });
  });

  it('follows links to folders, but not in circles', async () => {
    await storage.put('a/b', bytes('x'));
    mkdirSync(join(root, 'big-disk'));
    writeFileSync(join(root, 'big-disk', 'x.parquet'), 'x');
    symlinkSync(join(root, 'big-disk'), join(root, 'lake', 'orders'));
    symlinkSync(join(root, 'lake'), join(root, 'lake', 'a', 'up'));
    symlinkSync(join(root, 'nowhere'), join(root, 'lake', 'broken'));
    symlinkSync(join(root, 'big-disk', 'x.parquet'), join(root, 'lake', 'file'));
    expect(await keys('')).toEqual(['a/b', 'file', 'orders/x.parquet']);
    await storage.put('orders/y.parquet', bytes('y'));
    expect(readFileSync(join(root, 'big-disk', 'y.parquet'), 'utf8')).toBe('y');
  });

  it('reads a folder again when a file vanishes meanwhile', async () => {
    await storage.put('a/1', bytes('x'));
    faults.set('stat', (file) => {
      if (!String(file).endsWith('a/1')) return undefined;
      faults.clear();
      // What a lease does: the next object is there before the previous one goes.
      writeFileSync(join(root, 'lake', 'a', '2'), 'x');
      rmSync(join(root, 'lake', 'a', '1'));
      return undefined;
    });
    expect(await keys('a/')).toEqual(['a/2']);
  });
});

describe('deleting', () => {
  it('removes folders that became empty, and no others', async () => {
    for (const key of ['a/b/c/1', 'a/b/c/2', 'a/x', 'd/1']) await storage.put(key, bytes('x'));
    await storage.delete(['a/b/c/1', 'missing', 'd/1', 'd/none']);
    expect(files(join(root, 'lake'))).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/2', 'a/x']);
    await storage.delete(['a/b/c/2', 'a/x']);
    expect(files(root)).toEqual(['lake']);
  });

  it('deletes the others when one cannot be deleted', async () => {
    for (const key of ['1', '2', '3']) await storage.put(key, bytes('x'));
    faults.set('unlink', (file) => (String(file).endsWith('2') ? 'EACCES' : undefined));
    await expect(storage.delete(['1', '2', '3'])).rejects.toThrow(/deleting ".*2": permission denied/);
    expect(await keys('')).toEqual(['2']);
  });

  it('does not break writers into the same folder', async () => {
    const other = openLocalStorage(join(root, 'lake'));
    for (let round = 0; round < 100; round++) {
      const key = `a/b/${round % 7}`;
      const [, won] = await Promise.all([
        other.delete([`a/b/${(round - 1) % 7}`]),
        storage.putIfAbsent(key, bytes('x')),
      ]);
      expect(won).toBe(true);
      expect(await text(key)).toBe('x');
      await storage.delete([key]);
    }
  });
});

describe('trouble', () => {
  it.each([
    ['ENOSPC', 'ConfigError', 'storage.disk_full', /no space left/],
    ['EDQUOT', 'ConfigError', 'storage.disk_full', /quota/],
    ['EROFS', 'ConfigError', 'storage.read_only', /read-only/],
    ['EACCES', 'ConfigError', 'storage.permission', /permission denied for user/],
    ['ENAMETOOLONG', 'ConfigError', 'storage.name_too_long', /longer/],
    ['EMFILE', 'TransientError', 'storage.too_many_files', /too many open files/],
    ['EIO', 'TransientError', 'storage.io', /error/],
    ['EWHATEVER', 'InternalError', 'internal', /EWHATEVER/],
  ])('explains %s', async (code, name, expected, message) => {
    faults.set('open', () => code);
    for (const write of ['put', 'putIfAbsent'] as const) {
      const error: unknown = await storage[write]('a/b', bytes('x')).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name, code: expected, message: expect.stringMatching(message) });
      expect(error).toMatchObject({ message: expect.stringContaining(join(root, 'lake', 'a', 'b')) });
      expect((error as { remedy: string }).remedy).toMatch(/\w/);
    }
  });

  it('leaves nothing behind when writing fails', async () => {
    await storage.put('a/b', bytes('old'));
    for (const call of ['rename', 'link'] as const) faults.set(call, () => 'ENOSPC');
    await expect(storage.put('a/b', bytes('new'))).rejects.toThrow('no space');
    await expect(storage.putIfAbsent('a/c', bytes('new'))).rejects.toThrow('no space');
    expect(files(join(root, 'lake'))).toEqual(['a', 'a/b']);
    expect(await text('a/b')).toBe('old');
  });

  it('explains what it cannot read', async () => {
    faults.set('readFile', () => 'EACCES');
    faults.set('readdir', () => 'EACCES');
    await expect(storage.get('a')).rejects.toMatchObject({ code: 'storage.permission' });
    await expect(storage.list('a/')).rejects.toMatchObject({ code: 'storage.permission' });
  });
});

describe('a file system without hard links', () => {
  beforeEach(() => {
    faults.set('link', () => 'EPERM');
  });

  it('writes an object once', async () => {
    expect(await storage.putIfAbsent('a/b', bytes('first'))).toBe(true);
    expect(await storage.putIfAbsent('a/b', bytes('second'))).toBe(false);
    expect(await text('a/b')).toBe('first');
    expect(files(join(root, 'lake'))).toEqual(['a', 'a/b']);
  });

  it('lets one of many callers win', async () => {
    const attempts = Array.from({ length: 20 }, (_, index) =>
      storage.putIfAbsent('a/b', bytes(`caller ${index}`)),
    );
    const wins = (await Promise.all(attempts)).flatMap((won, index) => (won ? [index] : []));
    expect(wins).toHaveLength(1);
    expect(await text('a/b')).toBe(`caller ${wins[0]}`);
  });

  it('gives the name free when filling it fails', async () => {
    faults.set('rename', () => 'EIO');
    await expect(storage.putIfAbsent('a/b', bytes('x'))).rejects.toMatchObject({ code: 'storage.io' });
    expect(files(join(root, 'lake'))).toEqual(['a']);
    faults.delete('rename');
    expect(await storage.putIfAbsent('a/b', bytes('x'))).toBe(true);
  });

  it('says so when a process died while it had the name', { timeout: 20_000 }, async () => {
    mkdirSync(join(root, 'lake'));
    writeFileSync(join(root, 'lake', 'x'), '');
    const error: unknown = await storage.putIfAbsent('x', bytes('x')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'TransientError', code: 'storage.unfinished' });
    expect(files(join(root, 'lake'))).toEqual(['x']);
  });
});

it('recognises a link of its own when the network file system answers twice', async () => {
  faults.set('link', (from, to) => {
    linkSync(String(from), String(to));
    return 'EEXIST';
  });
  expect(await storage.putIfAbsent('a', bytes('x'))).toBe(true);
  expect(await text('a')).toBe('x');
});

describe('several processes', () => {
  const RACERS = 4;
  const KEYS = 200;
  const module = fileURLToPath(new URL('local-storage.ts', import.meta.url));

  /** Writes all keys as fast as it can once told to start, and prints which ones it won. */
  const script = (links: boolean): string => `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    if (!${links}) {
      fs.promises.link = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
      syncBuiltinESMExports();
    }
    const { openLocalStorage } = await import(${JSON.stringify(`file://${module}`)});
    const [root, name] = process.argv.slice(1);
    const storage = openLocalStorage(root);
    process.stdout.write('ready\\n');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    const won = [];
    const content = Buffer.from((name + ' ').repeat(500));
    for (let key = 0; key < ${KEYS}; key++) {
      const name = 'commits/' + (key >> 4) + '/' + key;
      const mine = await storage.putIfAbsent(name, content);
      if (mine) won.push(key);
      const seen = await storage.get(name);
      if (seen?.length !== content.length) throw new Error('saw ' + seen?.length + ' bytes of ' + name);
      if (mine !== seen.equals(content)) throw new Error('won ' + mine + ', but read ' + seen.subarray(0, 10));
    }
    process.stdout.write(JSON.stringify(won) + '\\n');
    process.exit();
  `;

  async function race(links: boolean): Promise<number[][]> {
    const racers = Array.from({ length: RACERS }, (_, index) => {
      const args = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script(links)];
      const child = spawn(process.execPath, [...args, join(root, 'lake'), `racer-${index}`]);
      let output = '';
      let errors = '';
      child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      const ready = new Promise<void>((resolve, reject) => {
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (output.startsWith('ready\n')) resolve();
        });
        child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(errors))));
      });
      const done = new Promise<number[]>((resolve, reject) => {
        child.once('close', (code) => {
          if (code === 0) resolve(JSON.parse(output.split('\n')[1]!) as number[]);
          else reject(new Error(`racer ${index} ended with ${code}: ${errors}`));
        });
      });
      return { child, ready, done };
    });
    await Promise.all(racers.map(({ ready }) => ready));
    for (const { child } of racers) child.stdin.write('go\n');
    return Promise.all(racers.map(({ done }) => done));
  }

  it.each([
    ['by links', true],
    ['without links', false],
  ])('have exactly one winner for each key, %s', { timeout: 120_000 }, async (_, links) => {
    // On a fast disk the first may be done before the others begin, and then there was no race.
    let racers = 0;
    for (let round = 0; round < 5 && racers < 2; round++) {
      rmSync(join(root, 'lake'), { recursive: true, force: true });
      const wins = await race(links);
      const winners = wins.flat().toSorted((a, b) => a - b);
      expect(winners).toEqual(Array.from({ length: KEYS }, (__, key) => key));
      racers = wins.filter((won) => won.length > 0).length;
    }
    expect(racers).toBeGreaterThan(1);
    expect(files(join(root, 'lake')).filter((name) => name.includes('unfinished'))).toEqual([]);
  });
});
