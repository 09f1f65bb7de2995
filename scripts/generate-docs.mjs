// Writes what is generated in docs/, between its markers: tables of options from schema.json, commands from their table,
// guarantees from the attacks and the results of their last whole run. With --check it only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { lastResults, promisesText, runText } from '../guarantees/docs.ts';
import { COMMANDS, FAMILIES, GLOBAL_OPTIONS, GROUPS } from '../src/cli/command-table.ts';
import { EXIT_CODES } from '../src/cli/exit-codes.ts';
import { usage } from '../src/cli/help.ts';

const schema = JSON.parse(readFileSync(new URL('../schema.json', import.meta.url), 'utf8'));
const pipeline = schema.properties.pipelines.additionalProperties;
const stream = pipeline.properties.streams.additionalProperties.anyOf.find((form) => form.properties);

const REQUIRED = '**Required.** ';

const parts = {
  'configuration.md': {
    project: () => optionTable(schema),
    pipeline: () => optionTable(pipeline),
    stream: () => optionTable(stream),
    ...Object.fromEntries(
      schema.properties.connections.additionalProperties.allOf.map((each) => [
        each.if.properties.type.const,
        () => optionTable(each.then),
      ]),
    ),
  },
  'commands.md': {
    overview: () => GROUPS.map(overview).join('\n\n'),
    global: () => table(['option', 'meaning'], GLOBAL_OPTIONS.map(optionRow)),
    commands: () => COMMANDS.map(command).join('\n\n'),
    'exit codes': () =>
      table(
        ['code', 'meaning'],
        EXIT_CODES.map(({ code, meaning }) => [`\`${code}\``, meaning]),
      ),
  },
  'guarantees.md': {
    run: () => runText(lastResults()),
    promises: () => promisesText(lastResults()),
  },
};

const check = process.argv.includes('--check');
for (const [file, sections] of Object.entries(parts)) {
  const target = new URL(`../docs/${file}`, import.meta.url);
  const before = readFileSync(target, 'utf8');
  const after = Object.entries(sections).reduce(
    (text, [name, make]) => fill(text, name, make(), file),
    before,
  );
  if (after === before) continue;
  if (check) {
    console.error(`sluice: docs/${file} is out of date; run: node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(target, after);
  }
}

function fill(text, name, content, file) {
  const [begin, end] = [`<!-- generated: ${name} -->`, '<!-- end -->'];
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`docs/${file} has no markers for "${name}"`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

function optionTable(schemaOf) {
  const required = new Set(schemaOf.required ?? []);
  const options = joined(rows(schemaOf, '', required));
  return options.length === 0 ? 'There are no options.' : table(['option', 'value', 'meaning'], options);
}

/** Options that several forms have, such as those of `paging`, in one row. */
function joined(all) {
  const byPath = Map.groupBy(all, ([path]) => path);
  const unique = (texts, between) => [...new Set(texts)].join(between);
  return [...byPath].map(([path, same]) => [
    path,
    unique(
      same.flatMap(([, value]) => value.split(', or ')),
      ', or ',
    ),
    `${same.every(([, , meaning]) => meaning.startsWith(REQUIRED)) ? REQUIRED : ''}${unique(
      same.map(([, , meaning]) => meaning.replace(REQUIRED, '')),
      ' ',
    )}`,
  ]);
}

/** One row for each option; options inside of an option follow it as `option.inner`. */
function rows({ properties }, prefix, required) {
  return Object.entries(properties).flatMap(([name, option]) => {
    if (option === true) return [];
    const inner = forms(option).filter((form) => form.properties);
    const own = [`\`${prefix}${name}\``, valueOf(option), meaningOf(option, required.has(name))];
    const below = ['connections', 'pipelines', 'streams', 'defaults'].includes(name) ? [] : inner;
    const each =
      name === 'endpoints' ? forms(option.additionalProperties).filter((form) => form.properties) : [];
    return [
      own,
      ...each.flatMap((form) => rows(form, `${prefix}${name}.<name>.`, new Set(form.required ?? []))),
      ...below.flatMap((form) => rows(form, `${prefix}${name}.`, new Set(form.required ?? []))),
    ].filter(([path]) => !path.endsWith('.type`') && !path.includes('.paging.'));
  });
}

/** The alternatives of an option, without the one that is the same for all: a placeholder. */
function forms(option) {
  const alternatives = option.anyOf ?? option.oneOf;
  if (!alternatives) return [option];
  return alternatives.filter((form) => form.pattern !== '\\$\\{').flatMap(forms);
}

function valueOf(option) {
  return [...new Set(forms(option).map(formText))].join(', or ');
}

function formText(form) {
  if (form.const !== undefined) return `\`${form.const}\``;
  if (form.enum) return form.enum.map((value) => `\`${value}\``).join(', ');
  if (Array.isArray(form.type)) return '[amount](#amounts)';
  if (form.type === 'integer')
    return form.minimum === undefined ? 'whole number' : `whole number ≥ ${form.minimum}`;
  if (form.type === 'array') return 'list of texts';
  if (form.type === 'object')
    return form.properties?.type?.const ? `map with \`type: ${form.properties.type.const}\`` : 'map';
  if (form.type === 'null') return 'nothing';
  return form.type === 'string' ? 'text' : form.type;
}

function meaningOf(option, isRequired) {
  const preset = typeof option.default === 'string' ? ` Default: \`${option.default}\`.` : '';
  return `${isRequired ? REQUIRED : ''}${option.description ?? ''}${preset}`.trim();
}

function overview({ name, title }) {
  const members = COMMANDS.filter((each) => each.group === name);
  return table(
    [title, ''],
    members.map((each) => [`[\`${each.name}\`](#${anchor(`sluice ${each.name}`)})`, each.summary]),
  );
}

function command(spec) {
  const family = FAMILIES[spec.name.split(' ')[0]];
  const lines = [
    `### sluice ${spec.name}`,
    '',
    `${sentence(spec.summary)}${spec.about ? ` ${spec.about}` : ''}`,
  ];
  if (family && COMMANDS.find((each) => each.name.startsWith(`${spec.name.split(' ')[0]} `)) === spec)
    lines.push('', `\`sluice ${spec.name.split(' ')[0]}\`: ${family}.`);
  lines.push('', '```console', usage(spec), '```');
  if (spec.options.length > 0) lines.push('', table(['option', 'meaning'], spec.options.map(optionRow)));
  lines.push('', 'Examples:', '', '```console', ...spec.examples, '```');
  return lines.join('\n');
}

function optionRow({ name, short, value, many, summary }) {
  const shown = `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
  return [`\`${shown}\``, many ? `${summary} (may be repeated)` : summary];
}

function sentence(text) {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.?!]$/.test(whole) ? whole : `${whole}.`;
}

function anchor(heading) {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
}

function table(head, body) {
  const cell = (text) => text.replaceAll('|', '\\|');
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...body.map(line)].join('\n');
}
