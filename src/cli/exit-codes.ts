import type { RunStatus } from '../core/events.ts';
import type { Recovery } from '../core/errors.ts';

/** The exit codes of every command. Scripts rely on them: they do not change. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  partial: 3,
  differs: 4,
  conflict: 5,
  unreachable: 6,
  alerted: 7,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What `sluice --help` says about them. */
export const EXIT_CODES: readonly { code: ExitCode; meaning: string }[] = [
  { code: EXIT.ok, meaning: 'done, also when there was nothing new' },
  { code: EXIT.internal, meaning: 'unexpected: a bug in sluice' },
  { code: EXIT.usage, meaning: 'the command line or the project file is wrong' },
  { code: EXIT.partial, meaning: 'some streams failed, the others are loaded' },
  { code: EXIT.differs, meaning: 'the data differs or does not fit, or a check failed' },
  { code: EXIT.conflict, meaning: 'another run holds the lease, or was faster' },
  { code: EXIT.unreachable, meaning: 'cannot connect, or was refused by the other side' },
  { code: EXIT.alerted, meaning: 'all is well but for an alert of the project' },
  { code: EXIT.interrupted, meaning: 'stopped by Ctrl-C (143: by SIGTERM)' },
];

/** The exit code for an error, by what can be done about it. */
export function exitCodeFor(recovery: Recovery): ExitCode {
  switch (recovery) {
    case 'config':
      return EXIT.usage;
    case 'auth':
    case 'transient':
      return EXIT.unreachable;
    case 'data':
    case 'schema':
      return EXIT.differs;
    case 'conflict':
      return EXIT.conflict;
    case 'cancelled':
      return EXIT.interrupted;
    case 'internal':
      return EXIT.internal;
  }
}

/** What one pipeline, stream or connection came to. */
export interface Outcome {
  readonly status: RunStatus;
  /** Recovery class of each thing that failed. */
  readonly failures: readonly string[];
  /** A threshold of the project was crossed. */
  readonly alerted?: boolean;
}

/** The exit code for several outcomes: 0 when all are well, 7 with an alert, 3 when some are, else the code of what failed first. */
export function exitCodeOf(outcomes: readonly Outcome[]): ExitCode {
  if (outcomes.some(({ status }) => status === 'stopped')) return EXIT.interrupted;
  if (outcomes.every(({ status }) => status === 'succeeded'))
    return outcomes.some(({ alerted }) => alerted) ? EXIT.alerted : EXIT.ok;
  if (outcomes.some(({ status }) => status !== 'failed')) return EXIT.partial;
  const [first] = outcomes.flatMap(({ failures }) => failures);
  return isRecovery(first) ? exitCodeFor(first) : EXIT.internal;
}

const RECOVERIES: readonly Recovery[] = [
  'config',
  'auth',
  'transient',
  'data',
  'schema',
  'conflict',
  'internal',
  'cancelled',
];

function isRecovery(text: string | undefined): text is Recovery {
  return RECOVERIES.some((known) => known === text);
}
