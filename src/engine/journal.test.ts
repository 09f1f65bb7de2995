/** What runs leave behind: figures in the history, metrics, alerts, and a webhook that is told of them. */
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { json } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import type { ProjectAlerts, Webhook } from '../core/alerts.ts';
import { TransientError } from '../core/errors.ts';
import type { RunRecord } from '../core/state.ts';
import { readMetrics } from '../observe/metrics-text.fixture.ts';
import { openSqliteState } from '../state/sqlite.ts';
import { MemorySource } from '../testing/memory-source.ts';
import { Bench, failing } from '../../test/support/memory-bench.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Received {
  headers: IncomingMessage['headers'];
  body: unknown;
}

/** A server that answers as it is told, and what it was sent. */
async function receiver(
  answer: (response: ServerResponse, nth: number) => void,
): Promise<{ webhook: Webhook; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      received.push({ headers: request.headers, body });
      answer(response, received.length);
    });
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/services/T0KEN?key=K3Y`;
  return { webhook: { url, timeout: 5, retries: 2 }, received };
}

function benchWith(alerts: ProjectAlerts): Bench {
  const bench = new Bench({
    a: { cursor: 'at', load: 'merge' },
    b: { load: 'replace', alerts: { duration: 3600 } },
  });
  bench.more = { alerts, metrics: { prometheus: 'metrics/sluice.prom' } };
  bench.write('a', [1, 'one'], [2, 'two']);
  bench.write('b', [1, 'uno']);
  return bench;
}

/** Two records that do not fit come with each slice of `a`. */
function withQuarantine(bench: Bench): void {
  const make = bench.source;
  bench.source = () => {
    const source = make();
    const open = source.open.bind(source);
    source.open = async (...args) => {
      const snapshot = await open(...args);
      const read = snapshot.read.bind(snapshot);
      snapshot.read = async (stream, survey, slice, signal) => {
        const reader = await read(stream, survey, slice, signal);
        if (stream.name !== 'a' || reader.format !== 'batches') return reader;
        const bad = { document: 'x', line: 1, code: 'row.type', reason: 'v is no int64', raw: 'x' };
        mkdirSync(path.dirname(slice.aside!.file), { recursive: true });
        writeFileSync(slice.aside!.file, `${JSON.stringify(bad)}\n`.repeat(2));
        const facts = reader.facts.bind(reader);
        return Object.assign(reader, { facts: () => ({ ...facts(), quarantined: 2 }) });
      };
      return snapshot;
    };
    return source;
  };
}

async function history(bench: Bench): Promise<RunRecord[]> {
  const state = await openSqliteState(path.join(bench.folder, 'state.db'));
  const runs = await state.runs({ limit: 10 });
  await state.close();
  return runs;
}

const warnings = (bench: Bench): string[] =>
  bench.events.flatMap((event) =>
    event.kind === 'warning' && event.code !== 'data.quarantined' ? [`${event.code}: ${event.message}`] : [],
  );

it('figures of each stream are in the history and in the metrics', async () => {
  const bench = benchWith({});
  failing(bench, 1, new TransientError('lost', { code: 'test.lost' }), 'a');
  withQuarantine(bench);
  const report = await bench.run();
  expect(report).toMatchObject({ status: 'succeeded', retries: 1, alerts: [] });
  const [record] = await history(bench);
  const succeededAt = record!.finishedAt!;
  expect(record).toMatchObject({
    status: 'succeeded',
    retries: 0,
    streams: [
      { stream: 'a', rows: 4, loaded: 2, quarantined: 2, retries: 1, changes: [], succeededAt },
      { stream: 'b', rows: 1, loaded: 1, quarantined: 0, retries: 0, succeededAt },
    ],
  });
  const folder = path.join(bench.folder, 'metrics');
  expect(readdirSync(folder)).toEqual(['sluice.prom']);
  const metrics = readMetrics(readFileSync(path.join(folder, 'sluice.prom'), 'utf8'));
  const a = '{pipeline="p",stream="a",source="from",destination="to"}';
  const all = '{pipeline="p",source="from",destination="to"}';
  const success = Date.parse(succeededAt) / 1000;
  expect(Object.fromEntries(metrics)).toMatchObject({
    [`sluice_stream_read_rows${a}`]: 4,
    [`sluice_stream_loaded_rows${a}`]: 2,
    [`sluice_stream_quarantined_rows${a}`]: 2,
    [`sluice_stream_skipped_rows${a}`]: 0,
    [`sluice_stream_retries${a}`]: 1,
    [`sluice_stream_last_success_timestamp_seconds${a}`]: success,
    [`sluice_run_read_rows${all}`]: 5,
    [`sluice_run_success${all}`]: 1,
  });
});

it('a stream that the pipeline does not load any more is not in the metrics', async () => {
  const bench = benchWith({});
  await bench.run();
  const file = path.join(bench.folder, 'metrics/sluice.prom');
  expect(readFileSync(file, 'utf8')).toContain('stream="a"');
  bench.streams = { b: { load: 'replace' } };
  await bench.run();
  expect(readFileSync(file, 'utf8')).not.toContain('stream="a"');
  expect(readFileSync(file, 'utf8')).toContain('stream="b"');
});

it('a stream that fails keeps the time of its last success, and the metrics say both', async () => {
  const bench = benchWith({ failed: true });
  await bench.run();
  const [first] = await history(bench);
  failing(bench, 99, new Error('broken'), 'a');
  bench.write('a', [3, 'three']);
  const { alerts, status } = await bench.run();
  expect(status).toBe('partial');
  expect(alerts).toMatchObject([{ alert: 'failed', pipeline: 'p', stream: 'a' }]);
  const [second] = await history(bench);
  expect(second!.streams[0]).toMatchObject({ status: 'failed', succeededAt: first!.finishedAt });
  expect(second!.alerts).toEqual(JSON.parse(JSON.stringify(alerts)));
  const text = readFileSync(path.join(bench.folder, 'metrics/sluice.prom'), 'utf8');
  const a = '{pipeline="p",stream="a",source="from",destination="to"}';
  expect(Object.fromEntries(readMetrics(text))).toMatchObject({
    [`sluice_stream_success${a}`]: 0,
    [`sluice_stream_last_success_timestamp_seconds${a}`]: Date.parse(first!.finishedAt!) / 1000,
    ['sluice_alert{pipeline="p",source="from",destination="to",stream="a",alert="failed"}']: 1,
  });
});

it('what fires is posted once, as JSON with the headers of the project', async () => {
  const { webhook, received } = await receiver((response) => response.end('thanks'));
  const bench = benchWith({
    error_rate: 1,
    webhook: { ...webhook, headers: { authorization: 'Bearer S3CRET' } },
  });
  withQuarantine(bench);
  const report = await bench.run();
  expect(report.status).toBe('succeeded');
  expect(received).toMatchObject([
    {
      headers: { 'content-type': 'application/json', authorization: 'Bearer S3CRET' },
      body: {
        version: 1,
        run: report.run,
        pipeline: 'p',
        alerts: [{ alert: 'error_rate', pipeline: 'p', stream: 'a', value: 50, threshold: 1 }],
      },
    },
  ]);
  expect(warnings(bench)).toEqual([]);
  bench.source = () => new MemorySource(bench.database);
  expect((await bench.run()).alerts).toEqual([]);
  expect(received).toHaveLength(1);
});

it('a webhook that answers with an error is tried again, then a warning without its secrets', async () => {
  const { webhook, received } = await receiver((response) => response.writeHead(500).end('T0KEN'));
  const bench = benchWith({ error_rate: 1, webhook: { ...webhook, retries: 1 } });
  withQuarantine(bench);
  expect((await bench.run()).status).toBe('succeeded');
  expect(received).toHaveLength(2);
  const { host } = new URL(webhook.url);
  expect(warnings(bench)).toEqual([`alerts.not_delivered: posting alerts to ${host}: it answered 500`]);
  expect(JSON.stringify(bench.events)).not.toMatch(/T0KEN|K3Y/);
});

it('a webhook that refuses for good is not asked again, and one that comes to itself is', async () => {
  const refusing = await receiver((response) => response.writeHead(404).end());
  const bench = benchWith({ error_rate: 1, webhook: refusing.webhook });
  withQuarantine(bench);
  await bench.run();
  expect(refusing.received).toHaveLength(1);
  const recovering = await receiver((response, nth) => response.writeHead(nth === 1 ? 503 : 204).end());
  bench.more = { alerts: { failed: true, webhook: recovering.webhook } };
  failing(bench, 99, new Error('broken'), 'a');
  bench.write('a', [3, 'three']);
  await bench.run();
  expect(recovering.received).toHaveLength(2);
  expect(warnings(bench)).toEqual([]);
});

it('a webhook that hangs, or is not there, costs its time and nothing else', async () => {
  const { webhook } = await receiver(() => undefined);
  const bench = benchWith({ error_rate: 1, webhook: { ...webhook, timeout: 1, retries: 0 } });
  withQuarantine(bench);
  expect((await bench.run()).status).toBe('succeeded');
  const { host } = new URL(webhook.url);
  expect(warnings(bench)).toEqual([`alerts.not_delivered: posting alerts to ${host}: no answer within 1 s`]);
  servers.at(-1)!.closeAllConnections();
  servers.at(-1)!.close();
  bench.more = { alerts: { staleness: 0.5, webhook: { ...webhook, retries: 0 } } };
  expect((await bench.run({ select: ['b'] })).alerts).toMatchObject([{ alert: 'staleness', stream: 'a' }]);
  expect(warnings(bench)).toEqual([`alerts.not_delivered: posting alerts to ${host}: ECONNREFUSED`]);
});

it('a run that cannot begin is in the history, and told', async () => {
  const { webhook, received } = await receiver((response) => response.end());
  const bench = benchWith({ failed: true, webhook });
  await expect(bench.run({ select: ['nobody'] })).rejects.toThrow('nobody');
  expect(await history(bench)).toMatchObject([{ status: 'failed', streams: [] }]);
  expect(received).toMatchObject([
    { body: { alerts: [{ alert: 'failed', message: 'the run could not begin' }] } },
  ]);
});

it('metrics that cannot be written are a warning', async () => {
  const bench = benchWith({});
  writeFileSync(path.join(bench.folder, 'metrics'), 'a file where the folder should be');
  expect((await bench.run()).status).toBe('succeeded');
  expect(warnings(bench)).toEqual([expect.stringContaining('metrics.not_written: writing the metrics to ')]);
});

it('a history that cannot be read is a warning, and makes nothing stale', async () => {
  const bench = benchWith({ staleness: 1e-9 });
  await bench.run();
  const file = path.join(bench.folder, 'state.db');
  const database = new DatabaseSync(file);
  database.exec('PRAGMA ignore_check_constraints = 1');
  database.exec(`UPDATE run SET record = 'no JSON'`);
  database.close();
  const { alerts } = await bench.run({ select: ['b'] });
  expect(alerts).toEqual([]);
  expect(warnings(bench)).toContainEqual(expect.stringContaining('state.not_read: '));
});
