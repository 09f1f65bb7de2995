import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Target } from './context.ts';
import type { Usage } from './measure.ts';

export const MEGABYTE = 1_000_000;

/** One line of the table: who moved how much at what cost. */
export interface Line {
  name: string;
  usage: Usage;
  rows: number;
  wireBytes: number | undefined;
}

const HEADERS = ['', 'seconds', 'rows/s', 'MB/s', 'client CPU s', 'server CPU s', 'peak MB'];

export function renderLines(lines: readonly Line[]): string {
  const rows = [HEADERS, ...lines.map(renderLine)];
  const widths = HEADERS.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map(
      (row) =>
        `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2))).join('')}`,
    )
    .join('\n');
}

function renderLine({ name, usage, rows, wireBytes }: Line): string[] {
  return [
    name,
    usage.seconds.toFixed(3),
    count(rows / usage.seconds),
    wireBytes === undefined ? '' : (wireBytes / MEGABYTE / usage.seconds).toFixed(0),
    usage.clientCpu?.toFixed(2) ?? '-',
    usage.serverCpu?.toFixed(2) ?? '-',
    usage.peakBytes === undefined ? '-' : (usage.peakBytes / MEGABYTE).toFixed(0),
  ];
}

export function renderTargets(targets: readonly Target[]): string {
  return targets
    .map(({ name, value, met }) => `  target ${name}: ${round(value, 3)}, ${met ? 'met' : 'MISSED'}`)
    .join('\n');
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The usage as fields of a result; what could not be measured is null. */
export function usageFields(prefix: string, usage: Usage): Record<string, number | null> {
  return {
    [`${prefix}client_cpu_seconds`]: orNull(usage.clientCpu, 2),
    [`${prefix}server_cpu_seconds`]: orNull(usage.serverCpu, 2),
    [`${prefix}peak_rss_mb`]: peakMb(usage),
  };
}

export function peakMb(usage: Usage): number | null {
  return orNull(usage.peakBytes === undefined ? undefined : usage.peakBytes / MEGABYTE, 1);
}

function orNull(value: number | undefined, digits: number): number | null {
  return value === undefined ? null : round(value, digits);
}

export interface Machine {
  cpu: string;
  cores: number;
  memory_gb: number;
  system: string;
  node: string;
  postgres: string;
  limit: string;
}

export function describeMachine(postgres: string, limit: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_gb: Math.round(totalmem() / 1e9),
    system: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    postgres,
    limit,
  };
}
