import type { Alert } from '../../core/alerts.ts';
import { asSluiceError, type SluiceError } from '../../core/errors.ts';
import type { Lease, RunRecord, RunStreamRecord } from '../../core/state.ts';
import { formatBytes, formatCount, formatSeconds } from '../../core/units.ts';
import type { TableState } from '../../core/destination.ts';
import type { ProjectContext } from '../../engine/context.ts';
import { staleOf } from '../../engine/monitor.ts';
import { alertLines } from '../../observe/alert-text.ts';
import { latestByStream, RUNS_READ } from '../../observe/history.ts';
import { post } from '../../observe/webhook.ts';
import { type Column, renderTable } from '../../observe/table.ts';
import type { Command, Invocation } from '../command.ts';
import { closing } from '../connections.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { selectPipelines } from '../run-options.ts';

type LastWord = RunStreamRecord & { run: string; startedAt: string };

interface StreamStatus {
  readonly stream: string;
  readonly table: string;
  readonly last: LastWord | undefined;
  readonly committed: TableState | undefined;
  readonly lease: Lease | undefined;
}

interface PipelineStatus {
  readonly pipeline: string;
  readonly from: string;
  readonly to: string;
  readonly last: RunRecord | undefined;
  readonly streams: readonly StreamStatus[];
  /** The destination could not be asked; the rest comes from the history of runs. */
  readonly error: SluiceError | undefined;
  /** Undefined when nobody has asked. */
  readonly alerts?: readonly Alert[] | undefined;
}

/** `sluice status`: what the state store and the destinations know. The source is not asked. */
export const status: Command = async (invocation) => {
  const { services, terminal, json } = invocation;
  const context = await services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  const store = await services.openState(context);
  let alerted = false;
  await closing(store, async () => {
    const leases = (await store.leases()).filter((lease) => lease.expiresAt > Date.now());
    for (const [index, name] of pipelines.entries()) {
      const runs = await store.runs({ pipeline: name, limit: RUNS_READ });
      const alerts = invocation.flags.on('alerts')
        ? await tell(invocation, context, { name, runs })
        : undefined;
      alerted ||= alerts !== undefined && alerts.length > 0;
      const found = { ...(await examine(invocation, context, { name, runs, leases })), alerts };
      if (json) printJson(terminal, exact(found));
      else terminal.print(`${index > 0 ? '\n' : ''}${statusText(invocation, found)}`);
    }
  });
  return alerted ? EXIT.alerted : EXIT.ok;
};

/** A stream that nobody runs any more tells nobody: this does, wherever alerts go. */
async function tell(
  { signal, terminal }: Invocation,
  { project }: ProjectContext,
  { name, runs }: { name: string; runs: readonly RunRecord[] },
): Promise<Alert[]> {
  const alerts = staleOf(project, name, runs);
  const { webhook } = project.alerts ?? {};
  if (!webhook || alerts.length === 0) return alerts;
  const message = {
    version: 1,
    run: undefined,
    pipeline: name,
    at: new Date().toISOString(),
    alerts,
  } as const;
  for (const { message: problem, remedy } of await post(webhook, message, signal))
    terminal.note(
      `${terminal.noteStyle.yellow('!')} ${problem}${remedy === undefined ? '' : `\n  ${remedy}`}`,
    );
  return alerts;
}

async function examine(
  { services, signal }: Invocation,
  context: ProjectContext,
  { name, runs, leases }: { name: string; runs: readonly RunRecord[]; leases: readonly Lease[] },
): Promise<PipelineStatus> {
  const { from = '', to = '' } = context.project.pipelines[name] ?? {};
  const known = [...latestByStream(runs).values()].map(({ run: { run, startedAt }, stream }): LastWord => ({
    ...stream,
    run,
    startedAt,
  }));
  const held = new Map(
    leases
      .filter((lease) => lease.name.startsWith(`${to}/`))
      .map((lease) => [lease.name.slice(to.length + 1), lease]),
  );
  const head = { pipeline: name, from, to, last: runs[0] };
  const streams = known.map((last): StreamStatus => ({
    stream: last.stream,
    table: last.table,
    last,
    committed: undefined,
    lease: held.get(last.table),
  }));
  if (streams.length === 0) return { ...head, streams, error: undefined };
  try {
    const destination = await services.openDestination(context, to);
    return await closing(destination, async () => {
      const asked = streams.map(async (stream) => ({
        ...stream,
        committed: await destination.describe(stream.table, signal),
      }));
      return { ...head, streams: await Promise.all(asked), error: undefined };
    });
  } catch (thrown) {
    return { ...head, streams, error: asSluiceError(thrown, `asking "${to}"`) };
  }
}

function exact({ error, streams, ...head }: PipelineStatus): object {
  const shown = streams.map(({ committed, lease, ...stream }) => ({
    ...stream,
    rows: committed?.rows,
    bytes: committed?.bytes,
    version: committed?.version,
    checkpoint: committed?.checkpoint,
    lease: lease && { ...lease.holder, expiresAt: new Date(lease.expiresAt).toISOString() },
  }));
  return {
    ...head,
    streams: shown,
    error: error && { code: error.code, message: error.message, recovery: error.recovery },
  };
}

const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: 'last run' },
  { title: 'loaded', align: 'right' },
  { title: 'rows', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'watermark' },
  { title: 'at work' },
];

function statusText({ terminal }: Invocation, status: PipelineStatus): string {
  const { style } = terminal;
  const { pipeline, from, to, last, streams, error } = status;
  const lines = [`${style.bold(pipeline)}   ${from} → ${to}   ${last ? runText(last) : 'never run'}`];
  if (streams.length > 0) {
    const rows = streams.map(({ stream, last: latest, committed, lease }) => [
      stream,
      latest ? `${shortTime(latest.startedAt)} ${paint(latest.status, style)}` : '',
      latest ? formatCount(latest.loaded) : '',
      committed ? formatCount(committed.rows) : '',
      // Where nobody counts them, there are none.
      committed && committed.bytes > 0 ? formatBytes(committed.bytes) : '',
      committed?.checkpoint?.watermark ?? committed?.checkpoint?.day ?? latest?.watermark ?? '',
      lease ? style.cyan(holderText(lease)) : '',
    ]);
    lines.push(renderTable(COLUMNS, rows, { paintTitle: style.dim }));
  }
  for (const { stream, last: latest } of streams) {
    if (!latest?.error) continue;
    lines.push(
      `  ${style.red('✗')} ${latest.error.message.includes(stream) ? '' : `${stream}: `}${latest.error.message}`,
    );
    if (latest.error.remedy !== undefined) lines.push(`    ${latest.error.remedy}`);
  }
  lines.push(...alertLines(status.alerts ?? [], style));
  if (error) lines.push(`  ${style.yellow('!')} rows and size are unknown: ${error.message}`);
  return lines.join('\n');
}

function runText({ startedAt, finishedAt, status, host, pid }: RunRecord): string {
  const seconds =
    finishedAt === undefined ? undefined : (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  const took = seconds === undefined ? '' : ` in ${formatSeconds(seconds)}`;
  return `last run ${shortTime(startedAt)}: ${status}${took} (${host}, pid ${pid})`;
}

function holderText({ holder }: Lease): string {
  return `${holder.run} (${holder.host}, pid ${holder.pid})`;
}

/** `2026-07-25 01:00:00Z` */
function shortTime(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')}Z`;
}

function paint(text: string, style: Invocation['terminal']['style']): string {
  if (text === 'failed') return style.red(text);
  return text === 'stopped' ? style.yellow(text) : text;
}
