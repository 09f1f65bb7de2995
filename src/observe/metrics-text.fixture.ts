/** Reads Prometheus' text format as strictly as its own parser, so that what it takes is right without it. */

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\}) (-?\\d+(?:\\.\\d+)?(?:e[+-]\\d+)?)$`);

/** Values by name and labels. Throws when a line is wrong, or a family is not in one piece below its HELP and TYPE. */
export function readMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const families = new Set<string>();
  let family = '';
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const lines = text.slice(0, -1).split('\n');
  for (const [at, line] of lines.entries()) {
    const help = new RegExp(`^# HELP (${NAME}) \\S.*$`).exec(line);
    if (help) {
      family = help[1]!;
      if (families.has(family)) throw new Error(`${family} comes twice`);
      families.add(family);
      if (lines[at + 1] !== `# TYPE ${family} gauge`) throw new Error(`${family} has no type`);
      continue;
    }
    if (line === `# TYPE ${family} gauge` && lines[at - 1]?.startsWith(`# HELP ${family} `)) continue;
    const [, name, labels, value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || name !== family) throw new Error(`line ${at + 1} is wrong: ${line}`);
    const key = `${name}${labels}`;
    if (samples.has(key)) throw new Error(`${key} comes twice`);
    samples.set(key, Number(value));
  }
  return samples;
}
