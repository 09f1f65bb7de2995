/** What may go wrong between us and a bucket. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { S3 } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openS3Storage, type S3Options } from '../../src/connectors/shared/s3/s3-storage.ts';
import type { ObjectStorage } from '../../src/core/storage.ts';
import { startMoto, type MotoServer } from '../../src/testing/moto-server.ts';
import { type Asked, type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { motoPresent, useMoto } from '../support/moto.ts';

const moto = useMoto();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const PART = 8 << 20;
const LARGE = Buffer.alloc(2 * PART + 1000, 'sluice');
let proxy: FaultProxy;
let folder: string;
let storage: ObjectStorage;
let opened = 0;

function open(options: Partial<S3Options> = {}): Promise<ObjectStorage> {
  return openS3Storage({
    bucket: 'lake',
    prefix: `faults/${opened++}`,
    endpoint: proxy.endpoint,
    region: undefined,
    profile: undefined,
    forcePathStyle: true,
    cache: { folder: join(folder, 'cache'), bytes: 64 << 20 },
    ...options,
  });
}

/** The fault for the first requests that fit, so many of them. */
function first(times: number, fits: (asked: Asked) => boolean, fault: Fault): void {
  let left = times;
  proxy.fault = (asked) => (left > 0 && fits(asked) && left-- > 0 ? fault : undefined);
}

const thrownBy = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
const put = ({ method }: Asked): boolean => method === 'PUT';
const slow: Fault = { kind: 'answer', status: 503, code: 'SlowDown' };

describe.runIf(motoPresent)('a bucket', () => {
  beforeAll(async () => {
    proxy = await startFaultProxy(moto().endpoint);
  });
  afterAll(() => proxy?.close());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-s3-'));
    proxy.fault = () => undefined;
    storage = await open();
    // What it asks once has been asked.
    await storage.putIfAbsent('known', bytes('x'));
    proxy.asked.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  describe('that is slow or lost for a moment', () => {
    it.each<[string, Fault]>([
      ['asks for fewer requests', slow],
      ['has an error of its own', { kind: 'answer', status: 500, code: 'InternalError' }],
      ['ends the connection', { kind: 'cut-request' }],
    ])('is asked again when it %s', async (_, fault) => {
      first(2, put, fault);
      await storage.put('a', bytes('content'));
      expect(Buffer.from((await storage.get('a'))!).toString()).toBe('content');
      expect(proxy.asked.filter(put)).toHaveLength(3);
    });

    it('is read on from where the connection was lost, in the same content', async () => {
      await storage.put('a', LARGE.subarray(0, 3_000_000));
      first(2, ({ method }) => method === 'GET', { kind: 'cut-answer', after: 1_000_000 });
      const read = await Array.fromAsync(storage.read('a', { from: 100 }));
      expect(Buffer.concat(read).equals(LARGE.subarray(100, 3_000_000))).toBe(true);
      const asked = proxy.asked.filter(({ method }) => method === 'GET');
      expect(asked.length).toBe(3);
      expect(asked[0]!.headers).toMatchObject({ range: 'bytes=100-' });
      expect(asked[2]!.headers['if-match']).toMatch(/\w/);
      expect(Number(/=(\d+)-/.exec(asked[2]!.headers.range!)![1])).toBeGreaterThan(1_000_000);
    });

    it('gives no mixed bytes when an object is replaced while it is read', async () => {
      await storage.put('a', LARGE.subarray(0, 3_000_000));
      first(1, ({ method }) => method === 'GET', { kind: 'cut-answer', after: 1_000_000 });
      const reading = async (): Promise<void> => {
        for await (const _ of storage.read('a')) await storage.put('a', Buffer.alloc(3_000_000, 1));
      };
      await expect(reading()).rejects.toMatchObject({ name: 'TransientError', code: 'storage.changed' });
    });

    it('gets large files in parts, which are sent again, and nothing of one that fails', async () => {
      const file = join(folder, 'large');
      writeFileSync(file, LARGE);
      const part = ({ url }: Asked): boolean => /partNumber=2/.test(url);
      first(1, part, { kind: 'cut-request' });
      await storage.upload('large', file);
      expect(Buffer.from((await storage.get('large'))!).equals(LARGE)).toBe(true);
      writeFileSync(file, LARGE);
      first(Infinity, part, { kind: 'answer', status: 403, code: 'AccessDenied' });
      await expect(storage.upload('refused', file)).rejects.toMatchObject({ code: 'storage.permission' });
      expect(statSync(file).size).toBe(LARGE.length);
      expect(await storage.get('refused')).toBeUndefined();
      const { Uploads } = await client().listMultipartUploads({ Bucket: 'lake' });
      expect(Uploads ?? []).toEqual([]);
    });

    it('finishes an upload of parts once, though the answer was lost', async () => {
      const file = join(folder, 'large');
      writeFileSync(file, LARGE);
      first(1, ({ method, url }) => method === 'POST' && /uploadId=/.test(url), { kind: 'lost-answer' });
      await storage.upload('large', file);
      expect((await storage.list('large'))[0]).toMatchObject({ size: LARGE.length });
    });

    it('loses uploads of parts that a killed process has begun', async () => {
      const [object] = await client()
        .listObjectsV2({ Bucket: 'lake' })
        .then(({ Contents }) => Contents!.slice(-1));
      const Key = `${object!.Key!.replace(/[^/]*$/, '')}dead`;
      await client().createMultipartUpload({ Bucket: 'lake', Key });
      const file = join(folder, 'large');
      writeFileSync(file, LARGE);
      await storage.upload('large', file);
      // moto dates all uploads 2010.
      await vi.waitFor(async () =>
        expect((await client().listMultipartUploads({ Bucket: 'lake' })).Uploads ?? []).toEqual([]),
      );
    });
  });

  describe('that creates objects once', () => {
    it('tells the winner although the answer was lost', async () => {
      first(1, put, { kind: 'lost-answer' });
      expect(await storage.putIfAbsent('a', bytes('mine'))).toBe(true);
      expect(proxy.asked.filter(put)).toHaveLength(2);
    });

    it('tells the loser although its request was lost and others wrote the same', async () => {
      const other = await openS3Storage({ ...(await sameLake()), endpoint: moto().endpoint });
      proxy.fault = (asked) => (put(asked) ? { kind: 'cut-request' } : undefined);
      const mine = storage.putIfAbsent('a', bytes('the same'));
      expect(await other.putIfAbsent('a', bytes('the same'))).toBe(true);
      proxy.fault = () => undefined;
      expect(await mine).toBe(false);
    });

    it('is asked again when another one writes at that moment', async () => {
      first(2, put, { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' });
      expect(await storage.putIfAbsent('a', bytes('x'))).toBe(true);
    });

    it('says so when nobody knows the outcome', async () => {
      proxy.fault = (asked) => (put(asked) ? { kind: 'lost-answer' } : undefined);
      const error = await thrownBy(storage.putIfAbsent('a', bytes('x')));
      // The first attempt has made it, and a later one heard that it is there.
      expect(error === true || (error as { name?: string }).name === 'TransientError').toBe(true);
      proxy.fault = () => undefined;
      expect(await storage.putIfAbsent('a', bytes('y'))).toBe(false);
    });
  });

  it('must not be one that knows no conditions', async () => {
    const careless = await startMoto();
    try {
      await careless.createBucket('lake');
      await withoutConditions(careless, async (endpoint) => {
        const error = await thrownBy((await open({ endpoint })).putIfAbsent('a', bytes('x')));
        expect(error).toMatchObject({ name: 'ConfigError', code: 'storage.no_conditional_put' });
      });
    } finally {
      await careless.stop();
    }
  });

  describe('mistakes say what to do', () => {
    const cases: [string, () => Fault, string, string][] = [
      ['a bucket that is not there', () => answer(404, 'NoSuchBucket'), 'ConfigError', 'storage.no_bucket'],
      ['a key that is unknown', () => answer(403, 'InvalidAccessKeyId'), 'AuthError', 'storage.credentials'],
      ['a wrong secret', () => answer(403, 'SignatureDoesNotMatch'), 'AuthError', 'storage.credentials'],
      ['a session that is over', () => answer(400, 'ExpiredToken'), 'AuthError', 'storage.credentials'],
      ['a right that is missing', () => answer(403, 'AccessDenied'), 'AuthError', 'storage.permission'],
      ['another region', () => answer(301, 'PermanentRedirect'), 'ConfigError', 'storage.region'],
      ['a wrong clock', () => answer(403, 'RequestTimeTooSkewed'), 'AuthError', 'storage.credentials'],
    ];
    const answer = (status: number, code: string): Fault => ({ kind: 'answer', status, code });

    it.each(cases)('%s', async (_, fault, name, code) => {
      proxy.fault = fault;
      const file = join(folder, 'file');
      writeFileSync(file, 'x');
      const calls = [
        storage.list(''),
        storage.put('a', bytes('x')),
        storage.putIfAbsent('a', bytes('x')),
        storage.upload('a', file),
        storage.delete(['a']),
        Array.fromAsync(storage.read('a')),
      ];
      for (const error of await Promise.all(calls.map(thrownBy))) {
        expect(error).toMatchObject({ name, code, message: expect.stringContaining('s3://lake/') });
        expect((error as { remedy: string }).remedy).toMatch(/\w/);
      }
      // Without a body all that is told is the status.
      const fetched = await thrownBy(storage.fetch(['a']));
      expect(fetched).toMatchObject({ message: expect.stringContaining('s3://lake/') });
      expect(readFileSync(file, 'utf8')).toBe('x');
    });

    it('a bucket that is not there, as it is', async () => {
      const none = await open({ bucket: 'none' });
      for (const call of [() => none.list(''), () => none.put('a', bytes('x')), () => none.get('a')])
        await expect(call()).rejects.toMatchObject({ code: 'storage.no_bucket' });
    });

    it('an object that another one deleted', async () => {
      await expect(storage.fetch(['none'])).rejects.toMatchObject({ code: 'storage.missing' });
    });

    it('no credentials, and nobody who listens', async () => {
      const before = { ...process.env };
      try {
        for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
        Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: folder });
        await expect((await open()).list('')).rejects.toMatchObject({
          name: 'AuthError',
          code: 'storage.no_credentials',
        });
      } finally {
        process.env = before;
      }
      const nobody = await open({ endpoint: 'http://127.0.0.1:9' });
      await expect(nobody.list('')).rejects.toMatchObject({
        name: 'TransientError',
        code: 'storage.unavailable',
      });
    });
  });

  it('lists and deletes more than one request can', { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 1005 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
    const rest = names.values();
    const lane = async (): Promise<void> => {
      for (const name of rest) await storage.put(name, bytes('x'));
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    expect((await storage.list('many/')).map(({ key }) => key)).toEqual(names);
    expect((await storage.list('many/', { startAfter: 'many/0999' })).length).toBe(5);
    proxy.asked.length = 0;
    const held = await storage.fetch(names.slice(0, 40));
    // One listing of what is there tells which contents are wanted, in two pages.
    expect(proxy.asked.map(({ method }) => method)).toEqual(Array<string>(42).fill('GET'));
    held.release();
    await expect(storage.fetch([...names.slice(0, 40), 'many/none'])).rejects.toMatchObject({
      code: 'storage.missing',
    });
    await storage.delete(names);
    expect(await storage.list('many/')).toEqual([]);
  });

  it('keeps no more on this machine than it may, and nothing that others still read', async () => {
    const small = await open({ cache: { folder: join(folder, 'small'), bytes: 2_500_000 } });
    const pool = (): number =>
      readdirSync(join(folder, 'small', 'pool')).reduce(
        (sum, name) => sum + statSync(join(folder, 'small', 'pool', name)).size,
        0,
      );
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await small.put(name, Buffer.alloc(1_000_000, name));
    const held = await small.fetch(names);
    expect(pool()).toBeLessThanOrEqual(2_500_000);
    for (const name of names) expect(readFileSync(small.localPath(name)).toString('latin1', 0, 1)).toBe(name);
    held.release();
    await setImmediate();
    proxy.asked.length = 0;
    (await small.fetch(names)).release();
    expect(proxy.asked.map(({ method }) => method).toSorted()).toEqual([
      ...Array<string>(2).fill('GET'),
      ...Array<string>(4).fill('HEAD'),
    ]);
  });

  function client(): S3 {
    return new S3({ endpoint: moto().endpoint, region: 'us-east-1', forcePathStyle: true });
  }

  /** The options of `storage`. */
  async function sameLake(): Promise<S3Options> {
    return {
      bucket: 'lake',
      prefix: `faults/${opened - 1}`,
      endpoint: undefined,
      region: undefined,
      profile: undefined,
      forcePathStyle: true,
      cache: { folder: join(folder, 'other'), bytes: 1 << 20 },
    };
  }

  /** A store that reads over If-None-Match. */
  async function withoutConditions(
    server: MotoServer,
    work: (endpoint: string) => Promise<void>,
  ): Promise<void> {
    const careless = await startFaultProxy(server.endpoint);
    careless.fault = ({ headers }) => void delete headers['if-none-match'];
    try {
      await work(careless.endpoint);
    } finally {
      await careless.close();
    }
  }
});
