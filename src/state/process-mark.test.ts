import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { isProvenDead, markProcess, type ProcessMark } from './process-mark.ts';

const here = (pid: number) => ({ run: 'r1', host: hostname(), pid });

it('takes itself for alive', () => {
  const mark = markProcess(here(process.pid));
  expect(mark).toBeDefined();
  expect(isProvenDead(process.pid, mark)).toBe(false);
});

it('notices the end of a process', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const mark = markProcess(here(child.pid!));
  expect(isProvenDead(child.pid!, mark)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isProvenDead(child.pid!, mark)).toBe(true);
  expect(markProcess(here(child.pid!))).toBeUndefined();
});

it.runIf(process.platform === 'linux')('notices that a process id was given to somebody else', () => {
  const mark = markProcess(here(process.pid))!;
  expect(isProvenDead(process.pid, { ...mark, start: `${Number(mark.start) - 1}` })).toBe(true);
});

it.runIf(process.platform === 'linux')('takes a zombie for dead', async () => {
  // The shell starts a process and becomes sleep, which never asks for the exit code of its child.
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const mark = markProcess(here(pid));
  expect(isProvenDead(pid, mark)).toBe(false);
  await expect.poll(() => isProvenDead(pid, mark), { timeout: 5000 }).toBe(true);
  expect(() => process.kill(pid, 0)).not.toThrow();
  parent.kill('SIGKILL');
});

it('does not judge what it cannot see', async () => {
  const mark = markProcess(here(process.pid))!;
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  const elsewhere: ProcessMark = { machine: 'another boot of another machine', start: mark.start };
  expect(isProvenDead(dead.pid!, elsewhere)).toBe(false);
  expect(isProvenDead(dead.pid!, undefined)).toBe(false);
  expect(markProcess({ run: 'r1', host: 'another-host.example', pid: process.pid })).toBeUndefined();
  for (const pid of [0, -1, 1.5, Number.NaN]) expect(isProvenDead(pid, { ...mark, start: '' })).toBe(false);
});
