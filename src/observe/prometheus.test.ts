import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { RunRecord, RunStreamRecord } from '../core/state.ts';
import { readMetrics } from './metrics-text.fixture.ts';
import { type PipelineMetrics, renderMetrics } from './prometheus.ts';

const STREAM: RunStreamRecord = {
  stream: 'public.orders',
  table: 'orders',
  status: 'loaded',
  rows: 1200,
  loaded: 1000,
  quarantined: 50,
  bytes: 4_000_000_000_000,
  written: 1e21,
  retries: 2,
  changes: ['+ tier utf8'],
  seconds: 0.25,
  watermark: undefined,
  succeededAt: '2026-07-25T01:00:02.500Z',
  error: undefined,
};

function pipeline(name: string, streams: RunStreamRecord[], over: Partial<RunRecord> = {}): PipelineMetrics {
  const run: RunRecord = {
    run: 'r',
    pipeline: name,
    startedAt: '2026-07-25T01:00:00.000Z',
    finishedAt: '2026-07-25T01:00:02.500Z',
    status: 'succeeded',
    host: 'h',
    pid: 1,
    streams,
    ...over,
  };
  return {
    pipeline: name,
    source: 'shop',
    destination: 'lake',
    last: run,
    streams: streams.map((stream) => ({ run, stream })),
  };
}

/** Names that a label has to escape. */
const ODD = 'a"b\\c\nd{},= é';

const PIPELINES = [
  pipeline('p', [STREAM, { ...STREAM, stream: ODD, status: 'failed' }], {
    status: 'partial',
    retries: 1,
    alerts: [
      { alert: 'failed', pipeline: 'p', stream: ODD, value: undefined, threshold: undefined, message: '' },
    ],
  }),
  // As an earlier version wrote it.
  pipeline('old', [
    {
      ...STREAM,
      stream: 'o',
      quarantined: undefined,
      written: undefined,
      retries: undefined,
      changes: undefined,
      succeededAt: undefined,
    },
  ]),
  { pipeline: 'new', source: 'shop', destination: 'lake', last: undefined, streams: [] },
];

it('every figure of a run and of its streams is a gauge with its labels', () => {
  const metrics = readMetrics(renderMetrics(PIPELINES));
  const ends = '{pipeline="p",source="shop",destination="lake"}';
  const orders = '{pipeline="p",stream="public.orders",source="shop",destination="lake"}';
  const odd = '{pipeline="p",stream="a\\"b\\\\c\\nd{},= é",source="shop",destination="lake"}';
  expect(Object.fromEntries(metrics)).toMatchObject({
    [`sluice_run_duration_seconds${ends}`]: 2.5,
    [`sluice_run_read_rows${ends}`]: 2400,
    [`sluice_run_rows_per_second${ends}`]: 960,
    [`sluice_run_retries${ends}`]: 5,
    [`sluice_run_schema_changes${ends}`]: 2,
    [`sluice_run_success${ends}`]: 0,
    [`sluice_run_last_timestamp_seconds${ends}`]: 1784941202.5,
    [`sluice_stream_read_rows${orders}`]: 1200,
    [`sluice_stream_loaded_rows${orders}`]: 1000,
    [`sluice_stream_quarantined_rows${orders}`]: 50,
    [`sluice_stream_skipped_rows${orders}`]: 150,
    [`sluice_stream_read_bytes${orders}`]: 4e12,
    [`sluice_stream_written_bytes${orders}`]: 1e21,
    [`sluice_stream_rows_per_second${orders}`]: 4800,
    [`sluice_stream_success${orders}`]: 1,
    [`sluice_stream_success${odd}`]: 0,
    [`sluice_stream_last_success_timestamp_seconds${orders}`]: 1784941202.5,
    ['sluice_stream_retries{pipeline="old",stream="o",source="shop",destination="lake"}']: 0,
    [`sluice_alert${odd.replace('stream="a', 'source="shop",destination="lake",stream="a').replace(',source="shop",destination="lake"}', ',alert="failed"}')}`]: 1,
  });
  // What is not known is not there, rather than 0.
  expect([...metrics.keys()].filter((key) => key.includes('last_success') && key.includes('"old"'))).toEqual(
    [],
  );
  expect([...metrics.keys()].filter((key) => key.includes('"new"'))).toEqual([]);
});

it('nothing was run: nothing is told', () => {
  expect(renderMetrics([])).toBe('');
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) console.log('skipped: promtool is not there (Debian: apt-get install prometheus)');

it.runIf(promtool)('promtool has nothing to say against it', () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: renderMetrics(PIPELINES),
    encoding: 'utf8',
  });
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
});
