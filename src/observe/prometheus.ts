/**
 * The figures of the last runs in Prometheus' text format, as the textfile collector of a node exporter reads it. Everything
 * is a gauge: it describes a run that is over, and the next one says it anew. Format:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { RunRecord } from '../core/state.ts';
import { type Figures, figuresOf, figuresOfRun, upToDate } from './figures.ts';

/** A pipeline of the project, and the newest finished record of it and of each of its streams. */
export interface PipelineMetrics {
  pipeline: string;
  /** Names of the connections. */
  source: string;
  destination: string;
  last: RunRecord | undefined;
  streams: readonly StreamMetrics[];
}

interface StreamMetrics {
  run: RunRecord;
  stream: RunRecord['streams'][number];
}

const FIGURES: readonly [name: string, figure: keyof Figures, help: string][] = [
  ['duration_seconds', 'seconds', 'Time that the last run took.'],
  ['read_rows', 'rows', 'Rows that the last run read.'],
  ['loaded_rows', 'loaded', 'Rows that the last run made visible.'],
  ['quarantined_rows', 'quarantined', 'Rows that the last run put aside.'],
  ['deleted_rows', 'deleted', 'Rows gone from the source that the last run removed or flagged.'],
  [
    'skipped_rows',
    'skipped',
    'Rows that the last run read and did not load: there already, or replaced by later ones.',
  ],
  ['read_bytes', 'bytes', 'Bytes that the last run read from the source.'],
  ['written_bytes', 'written', 'Bytes that the last run wrote.'],
  ['rows_per_second', 'rowsPerSecond', 'Rows that the last run read per second.'],
  ['schema_changes', 'changes', 'Changes that the last run made to the schema of tables.'],
  ['retries', 'retries', 'Attempts that the last run made again.'],
];

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

export function renderMetrics(pipelines: readonly PipelineMetrics[]): string {
  const runs = pipelines.flatMap(({ pipeline, source, destination, last }) =>
    last ? [{ labels: { pipeline, source, destination }, run: last, figures: figuresOfRun(last) }] : [],
  );
  const streams = pipelines.flatMap(({ pipeline, source, destination, streams: all }) =>
    all.map(({ run, stream }) => ({
      labels: { pipeline, stream: stream.stream, source, destination },
      run,
      stream,
      figures: figuresOf(stream),
    })),
  );
  const alerts = runs.flatMap(({ labels, run }) =>
    (run.alerts ?? []).map(({ alert, stream }): Sample => [
      { ...labels, ...(stream !== undefined && { stream }), alert },
      1,
    ]),
  );
  return [
    family(
      'sluice_run_last_timestamp_seconds',
      'When the last run ended.',
      runs.flatMap(({ labels, run }) => timed(labels, run.finishedAt)),
    ),
    family(
      'sluice_run_success',
      '1 when all streams of the last run are loaded, else 0.',
      runs.map(({ labels, run }) => [labels, Number(run.status === 'succeeded')]),
    ),
    ...FIGURES.map(([name, figure, help]) =>
      family(
        `sluice_run_${name}`,
        help,
        runs.map(({ labels, figures }) => [labels, figures[figure]]),
      ),
    ),
    family(
      'sluice_stream_last_timestamp_seconds',
      'When the last run of the stream ended.',
      streams.flatMap(({ labels, run }) => timed(labels, run.finishedAt)),
    ),
    family(
      'sluice_stream_last_success_timestamp_seconds',
      'When a run last brought the stream up to date.',
      streams.flatMap(({ labels, stream }) => timed(labels, stream.succeededAt)),
    ),
    family(
      'sluice_stream_success',
      '1 when the last run loaded the stream, else 0.',
      streams.map(({ labels, stream }) => [labels, Number(upToDate(stream.status))]),
    ),
    ...FIGURES.map(([name, figure, help]) =>
      family(
        `sluice_stream_${name}`,
        help,
        streams.map(({ labels, figures }) => [labels, figures[figure]]),
      ),
    ),
    family('sluice_alert', '1 for each alert of the last run.', alerts),
  ].join('');
}

function timed(labels: Labels, at: string | undefined): Sample[] {
  return at === undefined ? [] : [[labels, Date.parse(at) / 1000]];
}

/** A family without samples is left out. */
function family(name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(([labels, value]) => `${name}{${labelText(labels)}} ${value}`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('\n')}\n`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
