import type { Style } from '../observe/style.ts';
import { padEnd, textWidth } from '../observe/text-width.ts';
import { COMMANDS, type CommandSpec, FAMILIES, GLOBAL_OPTIONS, GROUPS } from './command-table.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { ArgumentSpec, OptionSpec } from './option-table.ts';

/** What `sluice --help` prints. */
export function renderHelp(version: string, style: Style): string {
  const lines = [
    `${style.bold('sluice')} ${version}   moves what changed, and every row of it exactly once`,
    '',
    'usage: sluice <command> [options]',
  ];
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  for (const group of GROUPS) {
    lines.push('', style.bold(group.title));
    const members = COMMANDS.filter((command) => command.group === group.name);
    lines.push(
      ...pairs(
        members.map((command) => [command.name, command.summary]),
        width,
      ),
    );
  }
  lines.push('', style.bold('options of every command'), ...pairs(GLOBAL_OPTIONS.map(optionPair)));
  lines.push(
    '',
    style.bold('exit codes'),
    ...pairs(EXIT_CODES.map(({ code, meaning }) => [String(code).padStart(3), meaning])),
  );
  lines.push('', 'first steps: sluice demo, or sluice init; then sluice plan and sluice run');
  lines.push('more about a command: sluice <command> --help');
  return lines.join('\n');
}

/** What `sluice state --help` prints. */
export function renderFamilyHelp(family: string, style: Style): string {
  const members = COMMANDS.filter((command) => command.name.startsWith(`${family} `));
  return [
    `${style.bold(`sluice ${family}`)}   ${FAMILIES[family] ?? ''}`,
    '',
    ...pairs(members.map((command) => [command.name, command.summary])),
    '',
    `more about one: sluice ${family} <command> --help`,
  ].join('\n');
}

/** What `sluice run --help` prints. */
export function renderCommandHelp(spec: CommandSpec, style: Style): string {
  const lines = [`${style.bold(`sluice ${spec.name}`)}   ${spec.summary}`];
  if (spec.about !== undefined) lines.push(`  ${spec.about}`);
  lines.push('', `usage: ${usage(spec)}`);
  if (spec.options.length > 0) lines.push('', style.bold('options'), ...pairs(spec.options.map(optionPair)));
  lines.push('', `as with every command: ${GLOBAL_OPTIONS.map(({ name }) => `--${name}`).join(', ')}`);
  lines.push('', style.bold('examples'), ...spec.examples.map((example) => `  ${example}`));
  return lines.join('\n');
}

/** `sluice run [pipeline…] [options]` */
export function usage(spec: CommandSpec): string {
  const parts = ['sluice', spec.name, ...spec.arguments.map(argumentText)];
  if (spec.options.length > 0) parts.push('[options]');
  return parts.join(' ');
}

function argumentText({ name, optional, many }: ArgumentSpec): string {
  const text = many ? `${name}…` : name;
  return optional ? `[${text}]` : `<${text}>`;
}

function optionPair(option: OptionSpec): [string, string] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  const value = option.value === undefined ? '' : ` ${option.value}`;
  return [
    `${short}--${option.name}${value}`,
    option.many ? `${option.summary} (may be repeated)` : option.summary,
  ];
}

function pairs(rows: readonly (readonly [string, string])[], least = 0): string[] {
  const width = rows.reduce((widest, [left]) => Math.max(widest, textWidth(left)), least);
  return rows.map(([left, right]) => `  ${padEnd(left, width)}   ${right}`);
}
