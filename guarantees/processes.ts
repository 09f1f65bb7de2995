/**
 * CPU time and memory of process trees, from Linux's /proc (https://man7.org/linux/man-pages/man5/proc.5.html). Elsewhere
 * there is none, and everything here is undefined.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** The unit of times in /proc/<pid>/stat; user space sees 100 whatever the kernel was built with. */
const TICKS_PER_SECOND = 100;

export const hasProc: boolean = process.platform === 'linux' && stat(process.pid) !== undefined;

/** User and system seconds of all children of ours that have ended, with all of their own that they waited for. */
export function endedChildrenCpu(): number | undefined {
  return stat(process.pid)?.ended;
}

/** User and system seconds of a process, of what it has started and still runs, and of what it has waited for. */
export function treeCpu(root: number): number | undefined {
  if (!hasProc) return undefined;
  let sum = 0;
  for (const pid of tree(root)) {
    const found = stat(pid);
    if (found) sum += found.own + found.ended;
  }
  return sum;
}

/** Resident bytes of a process and all that it has started, now; for a process alone the most it has ever had. */
export function treeMemory(root: number): number | undefined {
  if (!hasProc) return undefined;
  const pids = tree(root);
  // The kernel keeps the peak of each process, which no sampling can miss; peaks of several do not add up.
  const field = pids.length === 1 ? 'VmHWM' : 'VmRSS';
  return pids.reduce((sum, pid) => sum + memory(pid, field), 0);
}

function tree(root: number): number[] {
  const found = [root];
  for (const pid of found) found.push(...children(pid));
  return found;
}

function children(pid: number): number[] {
  return names(`/proc/${pid}/task`).flatMap((task) => {
    const text = read(`/proc/${pid}/task/${task}/children`) ?? '';
    return text.split(' ').filter(Boolean).map(Number);
  });
}

function memory(pid: number, field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function stat(pid: number): { own: number; ended: number } | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may hold spaces; the fields behind it begin with the third.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (number: number): number => Number(fields[number - 3]) / TICKS_PER_SECOND;
  return { own: seconds(14) + seconds(15), ended: seconds(16) + seconds(17) };
}

/** Undefined when the process has just gone. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
