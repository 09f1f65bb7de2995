import { describe, expect, it } from 'vitest';
import { ConfigError } from '../core/errors.ts';
import type { RunOptions } from '../engine/types.ts';
import { parseCommandLine } from './arguments.ts';
import { readRunOptions, selectPipelines } from './run-options.ts';
import { fakeContext } from './fakes.fixture.ts';

function read(args: string[], timezone = 'UTC', now = '2026-07-25T01:00:00Z'): RunOptions {
  const request = parseCommandLine(['run', ...args]);
  if (request.kind !== 'command') throw new Error('expected a command');
  return readRunOptions(request.parsed.flags, timezone, new Date(now));
}

describe('readRunOptions', () => {
  it('asks for nothing without flags', () => {
    expect(read([])).toEqual({});
  });

  it('reads everything there is', () => {
    expect(
      read([
        '-s',
        'a,b',
        '--full-refresh',
        '--workers',
        '3',
        '--memory',
        '1 GB',
        '--verify',
        'off',
        '--load-method',
        'bulk',
      ]),
    ).toEqual({
      select: ['a', 'b'],
      fullRefresh: true,
      workers: 3,
      memoryBytes: 1e9,
      verify: 'off',
      loadMethod: 'bulk',
    });
  });

  it('knows the ways to compare', () => {
    expect(() => read(['--load-method', 'copy'])).toThrow(
      /--load-method: "copy" is none of auto, statements, bulk/,
    );
    expect(() => read(['--verify', 'checksum'])).toThrow(
      /--verify: "checksum" is none of off, counts, checksums; did you mean "checksums"/,
    );
  });

  it.each([
    [['--date', '2026-02-28'], { from: '2026-02-28', to: '2026-03-01' }],
    [['--date', 'today'], { from: '2026-07-25', to: '2026-07-26' }],
    [['--date', 'yesterday'], { from: '2026-07-24', to: '2026-07-25' }],
    [['--from', '2026-07-01'], { from: '2026-07-01' }],
    [
      ['--from', 'yesterday', '--to', '2026-07-25 06:00:00+02'],
      { from: '2026-07-24', to: '2026-07-25 06:00:00+02' },
    ],
    [['--to', '2026-07-25T06:00Z'], { to: '2026-07-25T06:00Z' }],
  ])('reads the window %j', (args, window) => {
    expect(read(args).window).toEqual(window);
  });

  it('means today in the zone of the pipeline, also on the day the clocks change', () => {
    expect(read(['--date', 'today'], 'America/New_York').window).toEqual({
      from: '2026-07-24',
      to: '2026-07-25',
    });
    expect(read(['--date', 'yesterday'], 'Asia/Tokyo', '2026-07-24T15:30:00Z').window?.from).toBe(
      '2026-07-24',
    );
    expect(read(['--date', 'yesterday'], 'Europe/Berlin', '2026-03-29T22:30:00Z').window).toEqual({
      from: '2026-03-29',
      to: '2026-03-30',
    });
  });

  it.each([
    [['--resume', '--restart']],
    [['--workers', '0']],
    [['--workers', 'many']],
    [['--workers', '1.5']],
    [['--memory', 'lots']],
    [['--date', 'tomorrow']],
    [['--date', '2026-02-30']],
    [['--date', 'today', '--from', 'today']],
    [['--from', '2026-07-25 06:00:00']],
  ])('refuses %j', (args) => {
    expect(() => read(args)).toThrow(ConfigError);
  });
});

describe('selectPipelines', () => {
  const { project } = fakeContext({
    pipelines: { first: { from: 'a', to: 'b', streams: {} }, second: { from: 'a', to: 'b', streams: {} } },
  });

  it('takes all in the order of the file, or those that are named', () => {
    expect(selectPipelines(project, [])).toEqual(['first', 'second']);
    expect(selectPipelines(project, ['second', 'second'])).toEqual(['second']);
  });

  it('names every unknown one', () => {
    expect(() => selectPipelines(project, ['frist', 'x'])).toThrow(
      '"frist": unknown pipeline; did you mean "first"?\n  "x": unknown pipeline; known are first, second',
    );
    expect(() => selectPipelines({ ...project, pipelines: {} }, [])).toThrow('the project has no pipelines');
  });
});
