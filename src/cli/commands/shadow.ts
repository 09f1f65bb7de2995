import { ConfigError } from '../../core/errors.ts';
import type { ProjectContext } from '../../engine/context.ts';
import { SHADOW } from '../../core/side-tables.ts';
import type { ExchangeReport, ShadowCompareOptions, ShadowReport } from '../../engine/shadow-types.ts';
import { jsonLine } from '../../observe/json-lines.ts';
import type { Command, Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts';
import { readCount, readRunOptions, selectPipelines } from '../run-options.ts';
import { failedOutcome, runOne } from '../run-pipelines.ts';
import { renderExchange, renderShadow } from '../shadow-text.ts';
import { openVerifyProgress } from '../verify-progress.ts';

const ACTIONS = ['compare', 'promote', 'rollback', 'drop'] as const;
type Action = (typeof ACTIONS)[number];

interface Work {
  context: ProjectContext;
  pipeline: string;
  options: ShadowCompareOptions & { into: string };
}

/** `sluice shadow`: tables beside those that readers see, pipeline by pipeline. */
export const shadow: Command = async (invocation) => {
  const action = readAction(invocation);
  const context = await invocation.services.openProject(invocation.project);
  const pipelines = selectPipelines(context.project, invocation.arguments);
  if (action === 'drop' && !invocation.flags.on('yes'))
    await confirm(invocation, `remove shadow and former tables of ${pipelines.join(', ')}?`);
  const codes: ExitCode[] = [];
  for (const [index, pipeline] of pipelines.entries()) {
    if (index > 0 && !invocation.json) invocation.terminal.print('');
    const { select, memoryBytes } = readRunOptions(invocation.flags, 'UTC');
    const into = readPlace(invocation);
    const limit = readCount(invocation.flags, 'limit');
    const options = { select, memoryBytes, limit, into, signal: invocation.signal };
    codes.push(await DO[action ?? 'load'](invocation, { context, pipeline, options }));
  }
  if (codes.includes(EXIT.differs)) return EXIT.differs;
  return codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
};

function readAction({ flags }: Invocation): Action | undefined {
  const asked = ACTIONS.filter((name) => flags.on(name));
  if (asked.length > 1 || (flags.on('force') && asked[0] !== 'promote')) {
    throw new ConfigError(
      asked.length > 1
        ? `--${asked.join(' and --')} are done one after the other`
        : '--force goes with --promote',
      { code: 'cli.usage' },
    );
  }
  return asked[0];
}

/** It becomes part of names of tables or schemas. */
function readPlace({ flags }: Invocation): string {
  const name = flags.text('into') ?? SHADOW;
  if (/^[a-z][a-z0-9_]{0,20}$/.test(name) && name !== 'former') return name;
  throw new ConfigError(
    `--into: "${name}" is no name of up to 21 small letters, digits and _, or is "former"`,
    {
      code: 'cli.usage',
    },
  );
}

const DO: Readonly<Record<Action | 'load', (invocation: Invocation, work: Work) => Promise<ExitCode>>> = {
  load: async (invocation, work) => {
    const { context, pipeline, options } = work;
    const loaded = await runOne(invocation, {
      context,
      pipeline,
      work: (run) => invocation.services.run(context, pipeline, { ...run, into: options.into }),
    });
    const code = exitCodeOf([loaded]);
    return code === EXIT.ok ? compare(invocation, work) : code;
  },
  compare,
  promote: (invocation, { context, pipeline, options }) =>
    exchange(invocation, (onEvent) => {
      const force = invocation.flags.on('force');
      return invocation.services.promoteShadow(context, pipeline, { ...options, force, onEvent });
    }),
  rollback: (invocation, { context, pipeline, options }) =>
    exchange(invocation, () => invocation.services.rollbackShadow(context, pipeline, options)),
  drop: (invocation, { context, pipeline, options }) =>
    exchange(invocation, () => invocation.services.dropShadow(context, pipeline, options)),
};

type OnEvent = ShadowCompareOptions['onEvent'];

async function compare(invocation: Invocation, { context, pipeline, options }: Work): Promise<ExitCode> {
  return report(invocation, async (onEvent) => {
    const found = await invocation.services.compareShadow(context, pipeline, { ...options, onEvent });
    if (invocation.json) printReport(invocation, 'shadow', found);
    else invocation.terminal.print(renderShadow(found, invocation.terminal.style));
    return codeOf(found);
  });
}

async function exchange(
  invocation: Invocation,
  work: (onEvent: OnEvent) => Promise<ExchangeReport>,
): Promise<ExitCode> {
  return report(invocation, async (onEvent) => {
    const done = await work(onEvent);
    if (invocation.json) printReport(invocation, 'exchange', done);
    else invocation.terminal.print(renderExchange(done, invocation.terminal.style));
    if (done.status !== 'refused') return EXIT.ok;
    return done.comparison ? codeOf(done.comparison) : EXIT.differs;
  });
}

function printReport({ terminal }: Invocation, kind: string, found: object): void {
  terminal.stdout.write(jsonLine({ kind, ...found }));
}

async function report(
  invocation: Invocation,
  work: (onEvent: OnEvent) => Promise<ExitCode>,
): Promise<ExitCode> {
  const progress = invocation.json ? undefined : openVerifyProgress(invocation.terminal);
  try {
    return await work(progress?.listener);
  } catch (thrown) {
    return exitCodeOf([failedOutcome(invocation, thrown)]);
  } finally {
    progress?.close();
  }
}

function codeOf({ status, streams }: ShadowReport): ExitCode {
  if (status !== 'failed') return status === 'differs' ? EXIT.differs : EXIT.ok;
  const failures = streams.map(({ error }) => error?.recovery ?? 'config');
  return exitCodeOf([{ status: 'failed', failures }]);
}
