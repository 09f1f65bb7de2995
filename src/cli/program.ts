import { asSluiceError } from '../core/errors.ts';
import type { Style } from '../observe/style.ts';
import { type Parsed, parseCommandLine } from './arguments.ts';
import type { Command } from './command.ts';
import type { CommandSpec } from './command-table.ts';
import { renderError, renderErrorJson } from './error-text.ts';
import { EXIT, exitCodeFor } from './exit-codes.ts';
import { renderCommandHelp, renderFamilyHelp, renderHelp } from './help.ts';
import type { Services } from './services.ts';
import type { Stop } from './stop.ts';
import type { Terminal } from './terminal.ts';
import { readVersion } from './version.ts';

/** What the program is run with; tests bring their own. */
export interface Host {
  readonly terminal: Terminal;
  readonly stop: Stop;
  readonly services: Services;
}

/** First word of a command → its code, loaded when it is asked for. */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./commands/init.ts')).init,
  discover: async () => (await import('./commands/discover.ts')).discover,
  check: async () => (await import('./commands/check.ts')).check,
  demo: async () => (await import('./commands/demo.ts')).demo,
  generate: async () => (await import('./commands/generate.ts')).generate,
  plan: async () => (await import('./commands/plan.ts')).plan,
  run: async () => (await import('./commands/run.ts')).run,
  copy: async () => (await import('./commands/copy.ts')).copy,
  'singer-target': async () => (await import('./commands/singer-target.ts')).singerTarget,
  shadow: async () => (await import('./commands/shadow.ts')).shadow,
  verify: async () => (await import('./commands/verify.ts')).verify,
  repair: async () => (await import('./commands/repair.ts')).repair,
  status: async () => (await import('./commands/status.ts')).status,
  runs: async () => (await import('./commands/runs.ts')).runs,
  ledger: async () => (await import('./commands/ledger.ts')).ledger,
  schema: async () => (await import('./commands/schema.ts')).schema,
  state: async () => (await import('./commands/state.ts')).state,
  quarantine: async () => (await import('./commands/quarantine.ts')).quarantine,
  catalog: async () => (await import('./commands/catalog.ts')).catalog,
  sql: async () => (await import('./commands/sql.ts')).sql,
};

/** Runs one command line and resolves to its exit code; never throws. */
export async function runProgram(args: readonly string[], host: Host): Promise<number> {
  const { terminal, stop } = host;
  const json = args.includes('--json');
  const verbose = args.includes('--verbose');
  try {
    const request = parseCommandLine(args);
    if (request.kind === 'version') terminal.print(readVersion());
    else if (request.kind === 'help') terminal.print(helpFor(request.of, terminal.style));
    else return await runCommand(request.parsed, host);
    return EXIT.ok;
  } catch (thrown) {
    const error = asSluiceError(thrown, 'running sluice');
    if (error.recovery === 'cancelled') {
      if (!stop.signal.aborted) terminal.note(error.message);
      else if (stop.exitCode() !== EXIT.ok) terminal.note('stopped; nothing half-done is visible');
      return stop.signal.aborted ? stop.exitCode() : EXIT.interrupted;
    }
    if (json) terminal.stdout.write(renderErrorJson(thrown, verbose));
    else terminal.note(renderError(thrown, { style: terminal.noteStyle, verbose }));
    return exitCodeFor(error.recovery);
  }
}

async function runCommand(parsed: Parsed, { terminal, stop, services }: Host): Promise<number> {
  const [first = ''] = parsed.spec.name.split(' ');
  const command = await LOADERS[first]?.();
  if (!command) throw new Error(`command "${first}" has no code`);
  const { flags } = parsed;
  const code = await command({
    ...parsed,
    terminal,
    services,
    signal: stop.signal,
    project: flags.text('project'),
    json: flags.on('json'),
    verbose: flags.on('verbose'),
  });
  // A run that was stopped reports so itself; which signal it was is known here.
  return code === EXIT.interrupted && stop.signal.aborted ? stop.exitCode() : code;
}

function helpFor(topic: CommandSpec | string | undefined, style: Style): string {
  if (topic === undefined) return renderHelp(readVersion(), style);
  return typeof topic === 'string' ? renderFamilyHelp(topic, style) : renderCommandHelp(topic, style);
}
