import { expect, test } from 'vitest';
import type { Project } from '../core/project.ts';
import { thresholdsOf } from '../engine/monitor.ts';
import { connectors, failure } from './connectors.fixture.ts';
import { defineProject, env, lake, postgres, type ProjectDefinition } from './define.ts';
import { parseProject } from './load-project.ts';

const SECRET = 'https://hooks.example.com/T0KEN';

const project = defineProject({
  connections: { shop: postgres({ url: 'postgres://db/shop' }), lake: lake({ path: './lake' }) },
  pipelines: {
    p: {
      from: 'shop',
      to: 'lake',
      alerts: { duration: '30 minutes', staleness: '1 day' },
      streams: {
        'public.*': { load: 'replace', alerts: { staleness: false, min_rows_per_second: 10 } },
        'public.orders': { load: 'replace', alerts: { error_rate: '0.5 %' } },
        'public.gone': false,
      },
    },
    q: { from: 'shop', to: 'lake', streams: { '*': { load: 'replace' } } },
  },
  alerts: { failed: true, error_rate: 1, duration: '1 h', webhook: env('ALERT_URL') },
  metrics: { prometheus: './metrics/sluice.prom' },
});

const load = (given: ProjectDefinition): Project =>
  parseProject(given, { directory: '.', env: { ALERT_URL: SECRET }, connectors });

test('amounts become numbers, and a URL a webhook with the usual patience', () => {
  expect(load(project)).toMatchObject({
    alerts: { error_rate: 1, duration: 3600, webhook: { url: SECRET, timeout: 10, retries: 2 } },
    metrics: { prometheus: './metrics/sluice.prom' },
    pipelines: {
      p: { alerts: { duration: 1800 }, streams: { 'public.orders': { alerts: { error_rate: 0.5 } } } },
    },
  });
  const url = env('ALERT_URL');
  const more = load({ ...project, alerts: { webhook: { url, timeout: '2 s', headers: { a: 'b' } } } });
  expect(more.alerts).toEqual({ webhook: { url: SECRET, timeout: 2, retries: 2, headers: { a: 'b' } } });
});

test('what a stream says goes over its pipeline, and that over the project', () => {
  const { run, streams } = thresholdsOf(load(project), 'p', ['public.items', 'public.gone', 'old.table']);
  expect(run).toEqual({ failed: true, error_rate: 1, duration: 1800, staleness: 86_400 });
  expect(Object.fromEntries(streams)).toEqual({
    'public.items': {
      own: { min_rows_per_second: 10 },
      all: { failed: true, error_rate: 1, duration: 1800, min_rows_per_second: 10 },
    },
    'public.orders': {
      own: { error_rate: 0.5 },
      all: { failed: true, error_rate: 0.5, duration: 1800, staleness: 86_400 },
    },
  });
  expect(thresholdsOf(load(project), 'q', []).streams.size).toBe(0);
});

test('mistakes are named without the address', async () => {
  const wrong = {
    ...project,
    alerts: {
      error_rate: '101 %' as const,
      duration: 'soon' as '1 s',
      webhook: 'ftp://hooks.example.com/T0KEN',
    },
    metrics: { prometheus: 'sluice.txt' },
  };
  const { details, message } = await failure(() => load(wrong));
  const mistakes = (details as { mistakes: { path: string; message: string }[] }).mistakes;
  expect(mistakes.map(({ path }) => path)).toEqual([
    'alerts.error_rate',
    'alerts.duration',
    'alerts.webhook',
    'metrics.prometheus',
  ]);
  expect(message + JSON.stringify(mistakes)).not.toContain('T0KEN');
  const named = { ...project, alerts: { webhook: 'https://user:T0KEN@hooks.example.com' } };
  const { message: second } = await failure(() => load(named));
  expect(second).toContain('put credentials into headers');
  expect(second).not.toContain('T0KEN');
});
