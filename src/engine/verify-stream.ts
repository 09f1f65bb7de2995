/** Compares one stream: checksums of all buckets first, then the rows of those that differ. Both sides work at the same time. */
import type { ComparedTable } from '../core/compare.ts';
import type { TableState } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Snapshot, Survey } from '../core/source.ts';
import type { StreamConfig } from '../core/stream.ts';
import { compareRows } from './compare-rows.ts';
import { digitsFor, keptColumns, sharedColumns } from './compared-columns.ts';
import { checkOwner } from './plan-stream.ts';
import { type Agreed, agreeOn, DEFAULT_RULES } from './stream-contract.ts';
import { Sides } from './verify-sides.ts';
import { type Scope, scopeOf } from './verify-scope.ts';
import type { StreamComparison, VerifyOptions } from './verify-types.ts';

export interface StreamVerification {
  stream: StreamConfig;
  snapshot: Snapshot;
  table: ComparedTable | undefined;
  options: VerifyOptions;
  signal: AbortSignal;
}

export async function verifyStream(job: StreamVerification): Promise<StreamComparison> {
  const { snapshot, table, options, signal } = job;
  const emit = options.onEvent ?? (() => undefined);
  const started = performance.now();
  const report = emptyComparison(job.stream);
  if (!table || table.state.schema.fields.length === 0) return skipped(report, 'it is not loaded yet');
  checkOwner(job.stream, table.state);
  if (!snapshot.compare) throw cannotCompare(job.stream, 'source');
  const { checkpoint, schema } = table.state;
  const { stream, survey, contract } = await agreed(job, table.state);
  emit({ kind: 'verify-started', stream: stream.name, estimatedRows: survey.estimatedRows });
  const { key } = schema;
  const request = { stream, snapshot, survey, checkpoint, target: table.rows, key };
  const scope = await scopeOf({ ...request, window: options.window ?? {}, signal });
  if (typeof scope === 'string') return skipped(report, scope);
  const rows = snapshot.compare(stream, survey);
  const columns = sharedColumns(
    { schema, after: contract.schema, survey, without: rows.without },
    report.notes,
  );
  const lost = key.filter((name) => rows.without?.has(name));
  if (lost.length > 0)
    return skipped(
      report,
      `the source cannot hash its key column "${lost[0]!}" in the type that \`types\` gives it`,
    );
  const digits = digitsFor(Math.max(survey.estimatedRows ?? 0, table.state.rows));
  // Elsewhere a key that is there twice is a mistake.
  const current = stream.load === 'append';
  const base = { columns, key, digits, current, within: scope.within };
  const sides = new Sides(signal, {
    source: {
      rows,
      request: { ...base, columns: keptColumns(columns, table), waiting: scope.waiting.source },
    },
    target: { rows: table.rows, request: { ...base, waiting: scope.waiting.target } },
  });
  report.columns = columns.map(({ name }) => name);
  report.key = [...key];
  await compareRows(sides, report, { ...options, stream: stream.name });
  explain(report, job, scope);
  report.seconds = { ...sides.seconds, total: (performance.now() - started) / 1000 };
  return report;
}

/** What the table would hold of the source now, whether or not a load may change it for that. */
async function agreed({ stream, snapshot, signal }: StreamVerification, table: TableState): Promise<Agreed> {
  const look = (as: StreamConfig): Promise<Survey> => snapshot.survey(as, table.checkpoint, {}, signal);
  // What a frozen stream would stop at is no difference between rows.
  const rules = stream.schema?.policy === 'freeze' ? DEFAULT_RULES : (stream.schema ?? DEFAULT_RULES);
  return agreeOn({ stream, survey: await look(stream), table, fresh: false, keeps: false, rules, look });
}

function cannotCompare(stream: StreamConfig, side: string): ConfigError {
  return new ConfigError(`comparing ${stream.name}: its ${side} cannot make checksums of rows`, {
    code: 'verify.unsupported',
    remedy: 'docs/concepts/verify.md lists the systems that can',
  });
}

export function emptyComparison({ name, table }: StreamConfig): StreamComparison {
  return {
    stream: name,
    table,
    status: 'equal',
    rows: { source: 0, target: 0 },
    missing: 0,
    extra: 0,
    changed: 0,
    waiting: 0,
    differences: [],
    columns: [],
    key: [],
    notes: [],
    seconds: { source: 0, target: 0, total: 0 },
    error: undefined,
  };
}

function skipped(report: StreamComparison, reason: string): StreamComparison {
  return { ...report, status: 'skipped', notes: [reason] };
}

/** Says what the counts mean for this way of loading, and comes to a verdict. */
function explain(
  report: StreamComparison,
  { stream, table, options }: StreamVerification,
  scope: Scope,
): void {
  const { missing, extra, changed, waiting, notes } = report;
  const { load, cursor } = stream;
  const keeps = load === 'append' || load === 'merge' || (load === 'scd2' && cursor.length > 0);
  if (extra > 0 && keeps)
    notes.push(
      report.key.length > 0
        ? `rows that only the target has were deleted in the source, or are not selected any more: ${seenBy(stream)}`
        : 'rows that only the target has are earlier versions of rows that changed, or were deleted in the source: without a key append keeps them all',
    );
  const readAt = table?.state.checkpoint?.readAt;
  if (missing + extra + changed > 0 && !scope.waiting.source && readAt !== undefined)
    notes.push(`loaded at ${readAt}; what has changed in the source since then differs until the next run`);
  const aside = (table?.state.checkpoint?.quarantine ?? []).reduce((sum, { rows }) => sum + rows, 0);
  if (aside > 0 && missing + changed > 0)
    notes.push(`${aside} records of it are in quarantine, and the source has them: sluice quarantine show`);
  if (waiting > 0)
    notes.push(
      'rows that changed since the last load, or are of the part that every run reads again, wait for the next run',
    );
  const counted = missing + changed + (options.ignoreExtra ? 0 : extra) + (options.strict ? waiting : 0);
  report.status = counted > 0 ? 'differs' : 'equal';
}

/** Who sees that a row was deleted. */
function seenBy({ load, deletes }: StreamConfig): string {
  if (deletes) return 'what was deleted is gone with the next run';
  if (load === 'scd2') return 'with a cursor scd2 does not see that (a full refresh does)';
  const others = load === 'merge' ? '`deletes`, replace and delete-insert' : 'replace and delete-insert';
  return `${load} does not see that (${others} do)`;
}
