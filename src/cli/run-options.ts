import { hint } from '../config/suggest.ts';
import { ConfigError } from '../core/errors.ts';
import type { Project } from '../core/project.ts';
import type { LoadCheck, LoadMethod, RunWindow } from '../core/stream.ts';
import { addDays, parseSize } from '../core/units.ts';
import type { RunOptions } from '../engine/types.ts';
import type { Flags } from './arguments.ts';

/** The pipelines that were named, or all of them in the order of the file. */
export function selectPipelines(project: Project, names: readonly string[]): string[] {
  const known = Object.keys(project.pipelines);
  const unknown = names
    .filter((name) => !known.includes(name))
    .map((name) => `"${name}": unknown pipeline${hint(name, known)}`);
  if (unknown.length > 0) {
    throw new ConfigError(unknown.join('\n  '), {
      code: 'cli.unknown_pipeline',
      remedy: 'pipelines are named in the project file',
    });
  }
  if (known.length === 0) {
    throw new ConfigError('the project has no pipelines', {
      code: 'cli.no_pipelines',
      remedy: 'add one under "pipelines"',
    });
  }
  return names.length > 0 ? [...new Set(names)] : known;
}

/** What the flags ask of a run; `timezone` is the one that today and yesterday are meant in. */
export function readRunOptions(flags: Flags, timezone: string, now: Date = new Date()): RunOptions {
  const options: RunOptions = {};
  const select = flags.list('select');
  if (select.length > 0) options.select = select;
  if (flags.on('full-refresh')) options.fullRefresh = true;
  if (flags.on('restart')) options.restart = restart(flags);
  if (flags.on('keep-indexes')) options.keepIndexes = true;
  const workers = readCount(flags, 'workers');
  if (workers !== undefined) options.workers = workers;
  const memory = flags.text('memory');
  if (memory !== undefined) options.memoryBytes = parseSize(memory);
  const batch = flags.text('batch-bytes');
  if (batch !== undefined) options.batchBytes = parseSize(batch);
  const window = readWindow(flags, timezone, now);
  if (window) options.window = window;
  const verify = readChoice(flags, VERIFY);
  if (verify) options.verify = verify;
  const method = readChoice(flags, LOAD_METHOD);
  if (method) options.loadMethod = method;
  return options;
}

interface Choice<T extends string> {
  name: string;
  choices: readonly T[];
  code: string;
}

const VERIFY: Choice<LoadCheck> = {
  name: 'verify',
  choices: ['off', 'counts', 'checksums'],
  code: 'cli.verify',
};
const LOAD_METHOD: Choice<'auto' | LoadMethod> = {
  name: 'load-method',
  choices: ['auto', 'statements', 'bulk'],
  code: 'cli.load_method',
};

function readChoice<T extends string>(flags: Flags, { name, choices, code }: Choice<T>): T | undefined {
  const text = flags.text(name);
  const found = choices.find((choice) => choice === text);
  if (text === undefined || found) return found;
  throw new ConfigError(`--${name}: "${text}" is none of ${choices.join(', ')}${hint(text, choices)}`, {
    code,
  });
}

function restart(flags: Flags): true {
  if (!flags.on('resume')) return true;
  throw new ConfigError('--resume and --restart ask for opposite things', {
    code: 'cli.usage',
    remedy: 'without either, an interrupted load goes on with the parts that are left',
  });
}

/** A whole number above zero. */
export function readCount(flags: Flags, name: string): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new ConfigError(`--${name}: "${text}" is no whole number above zero`, { code: 'cli.number' });
}

function readWindow(flags: Flags, timezone: string, now: Date): RunWindow | undefined {
  const date = flags.text('date');
  const from = flags.text('from');
  const to = flags.text('to');
  if (date !== undefined && (from !== undefined || to !== undefined)) {
    throw new ConfigError('--date cannot be combined with --from and --to', {
      code: 'cli.window',
      remedy: '--date is short for --from that day --to the next',
    });
  }
  if (date !== undefined) {
    const day = readDay(date, timezone, now);
    if (day === undefined) {
      throw new ConfigError(`--date: "${date}" is none of today, yesterday and a day such as 2026-07-01`, {
        code: 'cli.window',
      });
    }
    return { from: day, to: addDays(day, 1) };
  }
  if (from === undefined && to === undefined) return undefined;
  const window: RunWindow = {};
  if (from !== undefined) window.from = readMoment(from, { flag: 'from', timezone, now });
  if (to !== undefined) window.to = readMoment(to, { flag: 'to', timezone, now });
  return window;
}

function readMoment(text: string, context: { flag: string; timezone: string; now: Date }): string {
  const day = readDay(text, context.timezone, context.now);
  if (day !== undefined) return day;
  // Without a zone a time means something else to every reader.
  if (/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)$/i.test(text)) return text;
  throw new ConfigError(
    `--${context.flag}: "${text}" is no day (2026-07-01) and no time with zone (2026-07-01T06:00:00Z)`,
    {
      code: 'cli.window',
    },
  );
}

/** `today`, `yesterday` or an existing day → `2026-07-01`. */
function readDay(text: string, timezone: string, now: Date): string | undefined {
  if (text === 'today' || text === 'yesterday') {
    // The calendar of the pipeline's zone, not of this machine: a server in UTC works for a shop in Tokyo.
    const today = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone }).format(now);
    return text === 'today' ? today : addDays(today, -1);
  }
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text) ? text : undefined;
}
