/** Looks through the rows of one stream that its next load would read. */
import type { Destination } from '../core/destination.ts';
import type { Diagnosis, Finding, Problem, TableLimits } from '../core/diagnose.ts';
import type { Snapshot } from '../core/source.ts';
import type { SliceRange, StreamConfig } from '../core/stream.ts';
import { limitsRequest } from './limits-request.ts';
import type { DiagnosedProblem, DiagnoseOptions, StreamDiagnosis } from './diagnose-types.ts';
import { planStream } from './plan-stream.ts';

export interface StreamJob {
  stream: StreamConfig;
  source: Snapshot;
  destination: Destination;
  options: DiagnoseOptions;
  signal: AbortSignal;
}

const NAMED_ROWS = 5;

export async function diagnoseStream(job: StreamJob): Promise<StreamDiagnosis> {
  const { stream, source, destination, options, signal } = job;
  const planned = await planStream({
    stream,
    source,
    destination,
    window: options.window ?? {},
    fullRefresh: options.fullRefresh ?? false,
    restart: false,
    keepIndexes: true,
    signal,
  });
  const { survey } = planned;
  const report = emptyDiagnosis(stream);
  options.onEvent?.({
    kind: 'diagnose-started',
    stream: stream.name,
    estimatedRows: planned.plan.estimatedRows,
  });
  if (!source.diagnose || !destination.limits) {
    const side = source.diagnose
      ? 'target cannot say what its columns hold'
      : 'source cannot count such rows';
    return { ...report, status: 'unknown', notes: [`nothing was looked at: its ${side}`] };
  }
  const target = await destination.limits(limitsRequest(planned), signal);
  const request = {
    target,
    ranges: joinRanges(planned.slices.slices.map(({ range }) => range)),
    scan: options.scan ?? true,
    rows: options.rows,
    named: options.limit ?? NAMED_ROWS,
  };
  const found = await source.diagnose(planned.plan.stream, survey, request, signal);
  return {
    ...report,
    rows: found.rows,
    partial: found.partial,
    open: [...found.open],
    unknown: [...found.unknown],
    findings: found.findings.map((finding) => problemOf(finding, target)),
    notes: planned.plan.action === 'nothing-new' ? ['there is nothing new to load'] : [],
    status: statusOf(found),
  };
}

export function emptyDiagnosis({ name, table }: StreamConfig): StreamDiagnosis {
  return {
    stream: name,
    table,
    status: 'fits',
    findings: [],
    rows: undefined,
    partial: false,
    open: [],
    unknown: [],
    notes: [],
    seconds: 0,
    error: undefined,
  };
}

function statusOf({ findings, partial, open, unknown }: Diagnosis): StreamDiagnosis['status'] {
  if (findings.some(({ fate }) => fate === 'refused')) return 'refused';
  if (partial || open.length > 0 || unknown.length > 0) return 'unknown';
  return findings.length > 0 ? 'changes' : 'fits';
}

/** Ranges that follow one another become one: thousands of conditions would cost more than the rows. */
export function joinRanges(ranges: readonly SliceRange[]): SliceRange[] {
  const joined: SliceRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    const both = last && joinedRange(last, range);
    if (both) joined[joined.length - 1] = both;
    else joined.push(range);
  }
  return joined;
}

function joinedRange(a: SliceRange, b: SliceRange): SliceRange | undefined {
  if (a.kind === 'pages' && b.kind === 'pages' && a.since === b.since && a.to === b.from)
    return { ...a, to: b.to };
  if (a.kind === 'key' && b.kind === 'key' && a.since === b.since && same(a.columns, b.columns))
    return a.to && b.from && same(a.to, b.from) ? { ...a, to: b.to } : undefined;
  if (a.kind === 'column' && b.kind === 'column' && a.column === b.column && a.nulls === b.nulls)
    return a.to !== undefined && a.to === b.from ? { ...a, to: b.to } : undefined;
  return undefined;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function problemOf(finding: Finding, target: TableLimits): DiagnosedProblem {
  const { fields, problem, fate, rows, keys } = finding;
  const column = fields.length === 1 ? target.columns.find(({ field }) => field === fields[0]) : undefined;
  return {
    columns: [...fields],
    type: column?.type,
    problem,
    fate,
    rows,
    keys: keys.map((key) => ({ ...key })),
    remedy:
      problem === 'misfit'
        ? `make it ${column!.misfit}, or give the stream another \`table\``
        : REMEDIES[problem],
  };
}

const WHERE = 'correct the rows, or leave them out with `where`';

const REMEDIES: Readonly<Record<Exclude<Problem, 'misfit'>, string>> = {
  null: `let the column take NULL in the target, or ${WHERE.replace('correct', 'fill in')}`,
  'no-value': `${WHERE}; \`types: { column: text }\` loads what is there as text`,
  'too-long': `widen the column in the target, or ${WHERE}; of a key, name shorter columns with \`key\``,
  'too-large': `widen the column in the target or in \`types\`, or ${WHERE}`,
  fraction: `give the column more digits in \`types\` or in the target, if they matter`,
  'out-of-range': `${WHERE}; \`types: { column: text }\` loads what is there as text`,
  'not-finite': `${WHERE}; \`types: { column: text }\` loads what is there as text`,
  'negative-zero': 'nothing, where 0 and -0 mean the same to you',
  'zero-character': `${WHERE}; \`types: { column: binary }\` keeps the bytes`,
  'not-json': `${WHERE}; \`types: { column: text }\` loads what is there as text`,
  duplicate: 'name columns with `key` that tell all rows apart',
};
