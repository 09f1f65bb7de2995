import { parseArgs } from 'node:util';
import { nearest } from '../config/suggest.ts';
import { ConfigError } from '../core/errors.ts';
import { COMMANDS, type CommandSpec, FAMILIES, GLOBAL_OPTIONS } from './command-table.ts';
import type { OptionSpec } from './option-table.ts';
import { usage } from './help.ts';

/** What was typed, checked against the table of commands. */
export interface Parsed {
  readonly spec: CommandSpec;
  readonly arguments: readonly string[];
  readonly flags: Flags;
}

export interface Flags {
  on(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): string[];
}

/** A request that needs no command: help or the version. */
export type Request =
  | { kind: 'command'; parsed: Parsed }
  | { kind: 'help'; of: CommandSpec | string | undefined }
  | { kind: 'version' };

/** Reads a command line. Throws one ConfigError that names everything wrong with it. */
export function parseCommandLine(args: readonly string[]): Request {
  const raw = rawParse(args, allOptions(undefined));
  const early = createFlags(raw.values);
  const words = raw.positionals;
  if (words[0] === 'help') return { kind: 'help', of: helpTopic(words.slice(1)) };
  if (words.length === 0) {
    if (early.on('version')) return { kind: 'version' };
    const unknown = mistakesIn(raw, allOptions(undefined));
    if (unknown.length > 0 && !early.on('help'))
      throw usageError(unknown, 'sluice --help shows all commands');
    return { kind: 'help', of: undefined };
  }
  if (early.on('help')) return { kind: 'help', of: helpTopic(words) };
  const spec = findCommand(words);
  return { kind: 'command', parsed: parseFor(spec, args) };
}

/** Options are read with the meaning they have for `spec`; before the command is known, with that of any command. */
function allOptions(spec: CommandSpec | undefined): OptionSpec[] {
  const own = spec ? spec.options : COMMANDS.flatMap((command) => command.options);
  const merged = new Map<string, OptionSpec>();
  for (const option of [...GLOBAL_OPTIONS, ...own]) {
    // `--sql` is a switch of one command and takes a text with another: the first word that is no option is what
    // matters here, and global options come first.
    if (!merged.has(option.name)) merged.set(option.name, option);
  }
  return [...merged.values()];
}

interface Raw {
  readonly values: Map<string, string[]>;
  readonly positionals: string[];
  /** Options as typed, with and without the dashes, in order. */
  readonly seen: readonly { name: string; typed: string; value: string | undefined; inline: boolean }[];
}

function rawParse(args: readonly string[], options: readonly OptionSpec[]): Raw {
  const config: Record<string, { type: 'string' | 'boolean'; short?: string; multiple: true }> = {};
  for (const { name, short, value } of options) {
    const type = value === undefined ? 'boolean' : 'string';
    config[name] = short === undefined ? { type, multiple: true } : { type, short, multiple: true };
  }
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const seen: Raw['seen'][number][] = [];
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? '']);
    seen.push({
      name: token.name,
      typed: token.rawName,
      value: token.value,
      inline: token.inlineValue ?? false,
    });
  }
  return { values, positionals, seen };
}

function findCommand(words: readonly string[]): CommandSpec {
  const [first = '', second] = words;
  const single = COMMANDS.find((command) => command.name === first);
  if (single) return single;
  if (!(first in FAMILIES)) throw unknownCommand(first);
  const members = COMMANDS.filter((command) => command.name.startsWith(`${first} `));
  const names = members.map((command) => command.name.slice(first.length + 1));
  if (second === undefined) {
    throw usageError(
      [`sluice ${first}: which one? ${names.join(', ')}`],
      `sluice ${first} --help shows them`,
    );
  }
  const found = members.find((command) => command.name === `${first} ${second}`);
  if (found) return found;
  const near = nearest(second, names);
  throw usageError(
    [
      `sluice ${first} "${second}": unknown command${near === undefined ? `; known are ${names.join(', ')}` : `; did you mean "${first} ${near}"?`}`,
    ],
    `sluice ${first} --help shows them`,
  );
}

function unknownCommand(typed: string): ConfigError {
  const firstWords = new Set(COMMANDS.map((command) => command.name.split(' ')[0] ?? ''));
  const secondWords = COMMANDS.filter((command) => command.name.endsWith(` ${typed}`)).map(
    (command) => command.name,
  );
  const near = secondWords[0] ?? nearest(typed, [...firstWords]);
  return usageError(
    [`"${typed}": unknown command${near === undefined ? '' : `; did you mean "${near}"?`}`],
    'sluice --help shows all commands',
  );
}

function helpTopic(words: readonly string[]): CommandSpec | string | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  if (
    first in FAMILIES &&
    (second === undefined || !COMMANDS.some(({ name }) => name === `${first} ${second}`))
  )
    return first;
  return findCommand(words);
}

function parseFor(spec: CommandSpec, args: readonly string[]): Parsed {
  const options = allOptions(spec);
  const raw = rawParse(args, options);
  const given = raw.positionals.slice(spec.name.split(' ').length);
  const mistakes = mistakesIn(raw, options);
  // After an unknown option nobody knows whether the next word was its value: counting arguments would be a guess.
  const countable = raw.seen.every(({ name }) => options.some((known) => known.name === name));
  if (countable) mistakes.push(...argumentMistakes(spec, given));
  if (mistakes.length > 0) throw usageError(mistakes, `usage: ${usage(spec)}`);
  return { spec, arguments: given, flags: createFlags(raw.values) };
}

function mistakesIn(raw: Raw, options: readonly OptionSpec[]): string[] {
  const mistakes: string[] = [];
  for (const { name, typed, value, inline } of raw.seen) {
    const option = options.find((known) => known.name === name);
    if (!option) {
      const near =
        name.length > 1
          ? nearest(
              name,
              options.map((known) => known.name),
            )
          : undefined;
      mistakes.push(`${typed}: unknown option${near === undefined ? '' : `; did you mean "--${near}"?`}`);
    } else if (option.value === undefined && value !== undefined) {
      mistakes.push(`${typed}: takes no value`);
    } else if (
      option.value !== undefined &&
      (value === undefined || (!inline && value.startsWith('-') && value !== '-'))
    ) {
      mistakes.push(`${typed}: needs a value, ${option.value}`);
    } else if (option.value !== undefined && !option.many && raw.values.get(name)?.length !== 1) {
      mistakes.push(`${typed}: may be given only once`);
    }
  }
  return [...new Set(mistakes)];
}

function argumentMistakes(spec: CommandSpec, given: readonly string[]): string[] {
  const required = spec.arguments.filter((argument) => !argument.optional);
  const missing = required.slice(given.length).map((argument) => `<${argument.name}>: missing`);
  if (missing.length > 0) return missing;
  if (spec.arguments.some((argument) => argument.many)) return [];
  return given.slice(spec.arguments.length).map((extra) => `"${extra}": one argument too many`);
}

function createFlags(values: ReadonlyMap<string, readonly string[]>): Flags {
  return {
    on: (name) => values.has(name),
    text: (name) => values.get(name)?.at(-1),
    // `--select a,b` and `--select a --select b` are the same; SQL and names with commas come as single options.
    list: (name) =>
      (values.get(name) ?? [])
        .flatMap((text) => text.split(','))
        .map((text) => text.trim())
        .filter((text) => text !== ''),
  };
}

/** A mistake on the command line; several are listed one per line. */
function usageError(mistakes: readonly string[], remedy: string): ConfigError {
  const message =
    mistakes.length === 1
      ? (mistakes[0] ?? '')
      : `${mistakes.length} mistakes on the command line:\n  ${mistakes.join('\n  ')}`;
  return new ConfigError(message, { code: 'cli.usage', remedy });
}
