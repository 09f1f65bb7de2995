import { expect, it } from 'vitest';
import { EXIT, EXIT_CODES, exitCodeFor, exitCodeOf } from './exit-codes.ts';

it.each([
  ['config', 2],
  ['auth', 6],
  ['transient', 6],
  ['data', 4],
  ['schema', 4],
  ['conflict', 5],
  ['internal', 1],
  ['cancelled', 130],
] as const)('a %s error ends with %i', (recovery, code) => {
  expect(exitCodeFor(recovery)).toBe(code);
});

it.each([
  ['nothing to do', [], 0],
  ['all well', [{ status: 'succeeded', failures: [] }], 0],
  ['all well but for an alert', [{ status: 'succeeded', failures: [], alerted: true }], 7],
  ['some streams failed, with an alert', [{ status: 'partial', failures: ['auth'], alerted: true }], 3],
  [
    'one of two pipelines failed',
    [
      { status: 'succeeded', failures: [] },
      { status: 'failed', failures: ['auth'] },
    ],
    3,
  ],
  ['some streams of the only pipeline failed', [{ status: 'partial', failures: ['conflict'] }], 3],
  ['all failed, the first for a lease', [{ status: 'failed', failures: ['conflict', 'auth'] }], 5],
  ['all failed for reasons unknown', [{ status: 'failed', failures: [] }], 1],
  ['all failed with a class unheard of', [{ status: 'failed', failures: ['cosmic'] }], 1],
  [
    'stopped after one had failed',
    [
      { status: 'failed', failures: ['auth'] },
      { status: 'stopped', failures: [] },
    ],
    130,
  ],
] as const)('%s', (_name, outcomes, code) => {
  expect(exitCodeOf(outcomes)).toBe(code);
});

it('documents every code', () => {
  const documented = EXIT_CODES.map(({ code, meaning }) => `${code} ${meaning}`).join('\n');
  for (const code of Object.values(EXIT)) expect(documented).toMatch(new RegExp(`\\b${code}\\b`));
});
