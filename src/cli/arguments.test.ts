import { describe, expect, it } from 'vitest';
import { ConfigError } from '../core/errors.ts';
import { parseCommandLine, type Parsed } from './arguments.ts';
import { COMMANDS, FAMILIES, GLOBAL_OPTIONS, GROUPS } from './command-table.ts';

function parse(...args: string[]): Parsed {
  const request = parseCommandLine(args);
  if (request.kind !== 'command') throw new Error(`expected a command, got ${request.kind}`);
  return request.parsed;
}

function refusal(...args: string[]): string {
  try {
    parseCommandLine(args);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
}

describe('parseCommandLine', () => {
  it('reads arguments, switches, values and lists wherever they stand', () => {
    const {
      spec,
      arguments: given,
      flags,
    } = parse('-C', 'shop', 'run', 'a', '--select', 'x,y', 'b', '-s', 'z', '--workers=3', '--full-refresh');
    expect(spec.name).toBe('run');
    expect(given).toEqual(['a', 'b']);
    expect(flags.text('project')).toBe('shop');
    expect(flags.list('select')).toEqual(['x', 'y', 'z']);
    expect(flags.text('workers')).toBe('3');
    expect(flags.on('full-refresh')).toBe(true);
    expect(flags.on('dry-run')).toBe(false);
    expect(flags.text('memory')).toBeUndefined();
  });

  it('finds commands of two words, also with options between them', () => {
    expect(parse('state', 'show').spec.name).toBe('state show');
    const { spec, arguments: given } = parse('--json', 'catalog', '--format', 'csv', 'query', 'select 1');
    expect(spec.name).toBe('catalog query');
    expect(given).toEqual(['select 1']);
  });

  it('gives the same option the meaning it has for the command', () => {
    expect(parse('plan', '--sql', 'shop_to_lake').arguments).toEqual(['shop_to_lake']);
    expect(parse('copy', '--sql', 'select 1', '--name', 'x', 'a', 'b').flags.text('sql')).toBe('select 1');
  });

  it('takes what follows -- as it is', () => {
    expect(parse('catalog', 'query', '--', '--no sql').arguments).toEqual(['--no sql']);
  });

  it('takes values that start with a dash only with =', () => {
    expect(parse('state', 'set', 'p', 's', '--watermark=-5').flags.text('watermark')).toBe('-5');
    expect(refusal('state', 'set', 'p', 's', '--watermark', '--yes')).toBe(
      '--watermark: needs a value, <value>',
    );
  });

  it.each([
    [['stauts'], '"stauts": unknown command; did you mean "status"?'],
    [['rnu'], '"rnu": unknown command; did you mean "run"?'],
    [['compact'], '"compact": unknown command; did you mean "catalog compact"?'],
    [['frobnicate'], '"frobnicate": unknown command'],
    [['catalog', 'tabels'], 'sluice catalog "tabels": unknown command; did you mean "catalog tables"?'],
    [['state'], 'sluice state: which one? show, set, reset'],
    [['state', 'frobnicate'], 'sluice state "frobnicate": unknown command; known are show, set, reset'],
    [['run', '--selct', 'x'], '--selct: unknown option; did you mean "--select"?'],
    [['run', '--workers'], '--workers: needs a value, <n>'],
    [['run', '--workers', '1', '--workers', '2'], '--workers: may be given only once'],
    [['run', '--dry-run=yes'], '--dry-run: takes no value'],
    [['run', '-x'], '-x: unknown option'],
    [['state', 'reset', 'p'], '<stream>: missing'],
    [['check', 'a', 'b'], '"b": one argument too many'],
    [['--frobnicate'], '--frobnicate: unknown option'],
  ])('refuses %j', (args, message) => {
    expect(refusal(...args)).toBe(message);
  });

  it('names all mistakes at once', () => {
    expect(refusal('state', 'set', 'p', 's', '--watermrk', 'x', '--jsn')).toBe(
      [
        '2 mistakes on the command line:',
        '  --watermrk: unknown option; did you mean "--watermark"?',
        '  --jsn: unknown option; did you mean "--json"?',
      ].join('\n'),
    );
    expect(refusal('state', 'set', 'p', 's', 't', 'u', '--watermark')).toBe(
      [
        '3 mistakes on the command line:',
        '  --watermark: needs a value, <value>',
        '  "t": one argument too many',
        '  "u": one argument too many',
      ].join('\n'),
    );
  });

  it.each([
    [[], undefined],
    [['--help'], undefined],
    [['help'], undefined],
    [['help', 'run'], 'run'],
    [['run', '--help', '--frob'], 'run'],
    [['state', '--help'], 'state'],
    [['state', 'show', '-h'], 'state show'],
    [['help', 'catalog', 'query'], 'catalog query'],
  ])('asks for help with %j', (args, topic) => {
    const request = parseCommandLine(args);
    expect(request.kind).toBe('help');
    const of = request.kind === 'help' ? request.of : '';
    expect(typeof of === 'object' ? of.name : of).toBe(topic);
  });

  it('asks for the version', () => {
    expect(parseCommandLine(['--version']).kind).toBe('version');
  });
});

describe('the table of commands', () => {
  it('gives every command a group, a summary and an example that parses', () => {
    for (const { name, group, summary, examples } of COMMANDS) {
      expect(GROUPS.map((known) => known.name)).toContain(group);
      expect(summary, name).toMatch(/^[a-z].*[^.]$/);
      expect(examples.length, name).toBeGreaterThan(0);
      for (const example of examples) {
        const words = example.replace(/ [|>] .*/, '').match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
        const parsed = parse(...words.slice(1).map((word) => word.replace(/^["']|["']$/g, '')));
        expect(parsed.spec.name).toBe(name);
      }
    }
  });

  it('has no option twice and none that hides a global one', () => {
    const global = GLOBAL_OPTIONS.flatMap(({ name, short }) => [
      name,
      ...(short === undefined ? [] : [short]),
    ]);
    for (const { name, options } of COMMANDS) {
      const own = options.flatMap((option) => [
        option.name,
        ...(option.short === undefined ? [] : [option.short]),
      ]);
      expect(new Set([...global, ...own]).size, name).toBe(global.length + own.length);
    }
  });

  it('describes every first word of two-word commands', () => {
    const families = new Set(
      COMMANDS.filter(({ name }) => name.includes(' ')).map(({ name }) => name.split(' ')[0]),
    );
    expect(new Set(Object.keys(FAMILIES))).toEqual(families);
  });
});
