import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import type { LeaseHolder } from '../core/state.ts';

/**
 * Tells one process from every other one, so that its death can be proven later: its process id alone could belong to
 * another machine, to another container, or, after its death, to a stranger.
 */
export interface ProcessMark {
  /** One boot of one machine, and in it one process id namespace. */
  machine: string;
  /** When the process started, in ticks since that boot; empty where the system does not tell. */
  start: string;
}

/** Marks the process of a holder; undefined when it is not one of ours or cannot be told apart. */
export function markProcess(holder: LeaseHolder): ProcessMark | undefined {
  if (holder.host !== hostname() || !isAlive(holder.pid)) return undefined;
  const machine = thisMachine();
  const start = process.platform === 'linux' ? readProcess(holder.pid)?.start : '';
  return machine === undefined || start === undefined ? undefined : { machine, start };
}

/** True only when the marked process certainly no longer runs. Any doubt is false: then the lease has to expire. */
export function isProvenDead(pid: number, mark: ProcessMark | undefined): boolean {
  if (mark === undefined || mark.machine !== thisMachine()) return false;
  if (!isAlive(pid)) return true;
  if (mark.start === '') return false;
  const now = readProcess(pid);
  // A zombie is a dead process whose parent has not asked for its exit code.
  return now !== undefined && (now.start !== mark.start || now.state === 'Z' || now.state === 'X');
}

function isAlive(pid: number): boolean {
  // 0 and negative numbers mean process groups.
  if (!Number.isSafeInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, but belongs to another user.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** See proc_pid_stat(5). */
function readProcess(pid: number): { state: string; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name, which may contain blanks and brackets.
    const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const start = rest[18];
    return state === undefined || start === undefined ? undefined : { state, start };
  } catch {
    return undefined;
  }
}

let machine: { name: string | undefined } | undefined;

function thisMachine(): string | undefined {
  machine ??= { name: nameMachine() };
  return machine.name;
}

function nameMachine(): string | undefined {
  if (process.platform !== 'linux') {
    // The time of the boot tells machines with the same name apart; it wobbles with corrections of the clock.
    return `${process.platform} ${hostname()} ${Math.round((Date.now() / 1000 - uptime()) / 100)}`;
  }
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}
