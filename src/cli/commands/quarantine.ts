import { ConfigError } from '../../core/errors.ts';
import { formatCount } from '../../core/units.ts';
import type { QuarantinedRecord, QuarantineScope, QuarantineSummary } from '../../engine/quarantine-ops.ts';
import type { Command, Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { printJson, printListing } from '../output.ts';
import { readCount, selectPipelines } from '../run-options.ts';
import { runOne } from '../run-pipelines.ts';

const SHOWN = 20;

/** `sluice quarantine list|show|export|replay|drop`: records that did not fit. */
export const quarantine: Command = async (invocation) => {
  switch (invocation.spec.name) {
    case 'quarantine show':
      return show(invocation);
    case 'quarantine export':
      return exportTo(invocation);
    case 'quarantine replay':
      return replay(invocation);
    case 'quarantine drop':
      return drop(invocation);
    default:
      return list(invocation);
  }
};

async function list(invocation: Invocation): Promise<number> {
  const context = await invocation.services.openProject(invocation.project);
  const found: QuarantineSummary[] = [];
  for (const name of selectPipelines(context.project, invocation.arguments))
    found.push(...(await invocation.services.listQuarantine(context, name, {})));
  const now = Date.now();
  printListing(invocation, {
    columns: [
      { title: 'pipeline' },
      { title: 'stream' },
      { title: 'run' },
      { title: 'age', align: 'right' },
      { title: 'rows', align: 'right' },
      { title: 'files', align: 'right' },
      { title: 'reasons' },
    ],
    rows: found.map((each) => [
      each.pipeline,
      each.stream,
      each.run,
      age(now - Date.parse(each.at)),
      each.rows,
      each.files,
      each.missing ? 'the records are not in this copy of the project' : reasonsText(each),
    ]),
    objects: found,
    show: [undefined, undefined, undefined, undefined, formatCount, formatCount],
    empty: NOTHING,
  });
  return EXIT.ok;
}

const NOTHING = 'nothing is in quarantine';
const REASONS_SHOWN = 2;

function reasonsText({ reasons }: QuarantineSummary): string {
  const shown = reasons.slice(0, REASONS_SHOWN).map(({ reason, rows }) => `${reason} (${formatCount(rows)})`);
  const others = reasons.length - shown.length;
  return [...shown, ...(others > 0 ? [`${others} more`] : [])].join('; ');
}

function age(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 60) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}

async function show(invocation: Invocation): Promise<number> {
  const { services, flags, json, terminal } = invocation;
  const { context, pipeline, scope } = await read(invocation);
  const limit = readCount(flags, 'limit') ?? (json ? undefined : SHOWN);
  const options = { ...scope, reason: flags.text('reason'), limit };
  const records: QuarantinedRecord[] = [];
  for await (const record of services.readQuarantine(context, pipeline, options)) {
    if (json) printJson(terminal, record);
    else records.push(record);
  }
  if (json) return EXIT.ok;
  printListing(invocation, {
    columns: [
      { title: 'file' },
      { title: 'line', align: 'right' },
      { title: 'column' },
      { title: 'reason' },
      { title: 'text' },
    ],
    rows: records.map((each) => [each.file, each.line, each.column, each.reason, textOf(each)]),
    objects: [],
    empty: NOTHING,
  });
  if (records.length === limit) terminal.note(`the first ${limit}; --limit shows more, --json all`);
  return EXIT.ok;
}

/** Bytes that are no UTF-8 as the characters that most such files mean. */
function textOf({ raw, base64 }: QuarantinedRecord): string {
  return base64 ? new TextDecoder('windows-1252').decode(Buffer.from(raw, 'base64')) : raw;
}

async function exportTo(invocation: Invocation): Promise<number> {
  const { services, flags } = invocation;
  const { context, pipeline, scope } = await read(invocation);
  const to = flags.text('to');
  if (to === undefined)
    throw new ConfigError('--to: missing', {
      code: 'cli.usage',
      remedy: 'name a .csv, .jsonl or .parquet file',
    });
  const rows = await services.exportQuarantine(context, pipeline, { ...scope, to });
  return tell(invocation, { pipeline, rows, to }, `${recordsText(rows)} written to ${to}`);
}

async function replay(invocation: Invocation): Promise<number> {
  const { services, terminal, json } = invocation;
  const { context, pipeline, scope } = await read(invocation);
  const outcome = await runOne(invocation, {
    context,
    pipeline,
    work: async (options) => {
      const report = await services.replayQuarantine(context, pipeline, { ...options, ...scope });
      if (!report && !json) terminal.print(NOTHING);
      return report;
    },
  });
  return exitCodeOf([outcome]);
}

async function drop(invocation: Invocation): Promise<number> {
  const { services, flags } = invocation;
  const { context, pipeline, scope } = await read(invocation);
  if (!flags.on('yes')) {
    const found = (await services.listQuarantine(context, pipeline, scope)).map(
      ({ stream, rows, files }) =>
        `${recordsText(rows)} of ${stream}${files === undefined ? '' : ` from ${filesText(files)}`}`,
    );
    if (found.length === 0) return tell(invocation, { pipeline, rows: 0 }, NOTHING);
    await confirm(invocation, `give up ${found.join(', ')}? their text is not kept anywhere else by sluice`);
  }
  const rows = await services.dropQuarantine(context, pipeline, scope);
  return tell(invocation, { pipeline, rows }, `${recordsText(rows)} given up`);
}

async function read(invocation: Invocation): Promise<{
  context: Awaited<ReturnType<Invocation['services']['openProject']>>;
  pipeline: string;
  scope: QuarantineScope;
}> {
  const [pipeline = '', ...select] = invocation.arguments;
  const context = await invocation.services.openProject(invocation.project);
  selectPipelines(context.project, [pipeline]);
  return { context, pipeline, scope: { select, run: invocation.flags.text('run') } };
}

function tell(
  { terminal, json }: Invocation,
  facts: { pipeline: string; rows: number; to?: string },
  text: string,
): number {
  if (json) printJson(terminal, facts);
  else terminal.print(facts.rows === 0 ? NOTHING : `${terminal.style.green('✓')} ${text}`);
  return EXIT.ok;
}

function recordsText(rows: number): string {
  return `${rows.toLocaleString('en')} ${rows === 1 ? 'record' : 'records'}`;
}

function filesText(files: number): string {
  return `${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}`;
}
