/** Compares shadow tables with those that readers see: columns, counts, checksums, and the rows that differ by their key. */
import type { ComparedColumn, ComparedTable, ComparedTables } from '../core/compare.ts';
import { asSluiceError, CancelledError } from '../core/errors.ts';
import { errorInfo } from '../core/error-json.ts';
import type { Schema } from '../core/schema.ts';
import { changeText, sameNames, schemaChanges } from '../core/schema-changes.ts';
import { SHADOW } from '../core/side-tables.ts';
import type { StreamConfig } from '../core/stream.ts';
import { renderType, widen } from '../core/types.ts';
import { compareRows, type RowsReport } from './compare-rows.ts';
import { compareTables } from './compare-tables.ts';
import { comparedColumn, digitsFor } from './compared-columns.ts';
import type { ProjectContext } from './context.ts';
import { closePipeline, openPipeline, type PipelineSession, sideTablesOf, streamsOf } from './session.ts';
import type {
  ShadowCompareOptions,
  ShadowComparison,
  ShadowDifference,
  ShadowReport,
} from './shadow-types.ts';
import { Sides } from './verify-sides.ts';
import type { RowDifference } from './verify-types.ts';

/** Reads the destination only, writes nothing, holds no lease. */
export async function compareShadow(
  context: ProjectContext,
  pipeline: string,
  options: ShadowCompareOptions,
): Promise<ShadowReport> {
  const signal = options.signal ?? new AbortController().signal;
  const { into = SHADOW, memoryBytes, select } = options;
  const session = await openPipeline(context, pipeline, { memoryBytes, workers: 1, into });
  try {
    const configs = await streamsOf(session, pipeline, { select }, signal);
    return await compareSides(session, { ...options, into, pipeline, signal }, configs);
  } finally {
    await closePipeline(session);
  }
}

type CompareJob = ShadowCompareOptions & { pipeline: string; into: string; signal: AbortSignal };

export async function compareSides(
  session: PipelineSession,
  job: CompareJob,
  configs: readonly StreamConfig[],
): Promise<ShadowReport> {
  const started = performance.now();
  const streams: ShadowComparison[] = [];
  const moments: ComparedTables[] = [];
  try {
    for (const end of [session.readers, session.destination])
      moments.push(await compareTables(end, job.signal));
    for (const stream of configs) {
      const comparison = await compareStream(session, { ...job, stream, moments });
      streams.push(comparison);
      const status = comparison.status === 'differs' ? 'differs' : 'equal';
      job.onEvent?.({ kind: 'verify-finished', stream: stream.name, status });
    }
  } finally {
    await Promise.allSettled(moments.map((moment) => moment.close()));
  }
  const { from, to } = session.config;
  const seconds = (performance.now() - started) / 1000;
  return { pipeline: job.pipeline, from, to, into: job.into, status: statusOf(streams), seconds, streams };
}

function statusOf(streams: readonly ShadowComparison[]): ShadowReport['status'] {
  if (streams.some(({ status }) => status === 'differs')) return 'differs';
  return streams.some(({ status }) => status === 'failed' || status === 'absent') ? 'failed' : 'equal';
}

interface StreamJob extends CompareJob {
  stream: StreamConfig;
  /** Of readers, and of the shadow. */
  moments: readonly ComparedTables[];
}

async function compareStream(session: PipelineSession, job: StreamJob): Promise<ShadowComparison> {
  const { stream, moments, signal, into } = job;
  const started = performance.now();
  const report = emptyReport(stream, sideTablesOf(session.readers).name(into, stream.table));
  const tables: (ComparedTable | undefined)[] = [];
  try {
    for (const moment of moments) tables.push(await moment.table(stream.table, signal));
    const [present, shadow] = tables;
    await compareBoth(report, { present, shadow }, job);
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    report.error = errorInfo(asSluiceError(error, `comparing ${stream.name}`));
    report.status = 'failed';
  } finally {
    await Promise.allSettled(tables.map(async (table) => table?.close()));
  }
  report.seconds = (performance.now() - started) / 1000;
  return report;
}

function emptyReport({ name: stream, table }: StreamConfig, shadow: string): ShadowComparison {
  return {
    stream,
    table,
    shadow,
    status: 'equal',
    rows: { present: 0, shadow: 0 },
    compared: { present: 0, shadow: 0 },
    onlyPresent: 0,
    onlyShadow: 0,
    changed: 0,
    changes: [],
    differences: [],
    columns: [],
    key: [],
    notes: [],
    seconds: 0,
    error: undefined,
  };
}

type Both = Record<'present' | 'shadow', ComparedTable | undefined>;

async function compareBoth(
  report: ShadowComparison,
  { present, shadow }: Both,
  job: StreamJob,
): Promise<void> {
  report.rows = { present: present?.state.rows ?? 0, shadow: shadow?.state.rows ?? 0 };
  if (shadow?.state.checkpoint?.unfinished)
    report.notes.push('the load of the shadow table is not finished: run it again');
  if (!present || !shadow) {
    report.status = shadow ? 'new' : 'absent';
    return;
  }
  const [before, after] = [present.state.schema, shadow.state.schema];
  report.changes = schemaChanges(before, after).map(changeText);
  const columns = commonColumns(before, after, report.notes);
  const key = keyOf([after, before], columns);
  if (!sameNames(key, after.key))
    report.notes.push(
      'rows are not told apart by the key of the shadow table: the present one lacks a part of it',
    );
  report.columns = columns.map(({ name }) => name);
  report.key = key;
  const { stream, signal, limit, onEvent } = job;
  const digits = digitsFor(Math.max(report.rows.present, report.rows.shadow));
  const request = { columns, key, digits, current: true, within: undefined, waiting: undefined };
  onEvent?.({ kind: 'verify-started', stream: stream.name, estimatedRows: report.rows.shadow });
  const sides = new Sides(signal, {
    source: { rows: present.rows, request },
    target: { rows: shadow.rows, request },
  });
  const found: RowsReport = {
    rows: { source: 0, target: 0 },
    missing: 0,
    extra: 0,
    changed: 0,
    waiting: 0,
    differences: [],
    columns: report.columns,
    key,
  };
  if (columns.length > 0) await compareRows(sides, found, { stream: stream.name, limit, onEvent });
  report.compared = { present: found.rows.source, shadow: found.rows.target };
  report.onlyPresent = found.missing;
  report.onlyShadow = found.extra;
  report.changed = found.changed;
  report.differences = found.differences.map(renamed);
  explain(report);
}

const KINDS: Readonly<Record<RowDifference['kind'], ShadowDifference['kind']>> = {
  changed: 'changed',
  missing: 'only-present',
  extra: 'only-shadow',
};

function renamed(row: RowDifference): ShadowDifference {
  return { ...row, kind: KINDS[row.kind] };
}

/** Columns that both have, in a type that holds the values of both. */
function commonColumns(present: Schema, shadow: Schema, notes: string[]): ComparedColumn[] {
  const ours = ({ name }: { name: string }): boolean => name.startsWith('_sluice_');
  return shadow.fields.flatMap((field) => {
    const other = present.fields.find(({ name }) => name === field.name);
    if (!other || ours(field)) return [];
    const type = widen(field.type, other.type);
    if (type) return [comparedColumn(field.name, type, { table: shadow, source: present })];
    notes.push(
      `column "${field.name}" was not compared: ${renderType(other.type)} and ${renderType(field.type)} have no type in common`,
    );
    return [];
  });
}

/** The first key whose columns are all compared. */
function keyOf(schemas: readonly Schema[], columns: readonly ComparedColumn[]): string[] {
  const names = new Set(columns.map(({ name }) => name));
  return [...(schemas.find(({ key }) => key.length > 0 && key.every((name) => names.has(name)))?.key ?? [])];
}

function explain(report: ShadowComparison): void {
  const { rows, compared, notes } = report;
  const earlier = {
    present: rows.present - compared.present,
    shadow: rows.shadow - compared.shadow,
  };
  const versions = earlier.present !== earlier.shadow;
  if (versions)
    notes.push(
      `rows that are not the newest version of theirs: ${earlier.present} in the present table, ${earlier.shadow} in the shadow, which knows only what it has loaded itself`,
    );
  const differ = report.onlyPresent + report.onlyShadow + report.changed + report.changes.length;
  report.status = differ > 0 || versions ? 'differs' : 'equal';
}
