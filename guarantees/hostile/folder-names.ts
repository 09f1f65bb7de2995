/** The lake lies where the user put it, whatever that folder is called; DuckDB, for one, takes `[`, `*` and `?` for patterns. */
import type { Arena, Attack } from '../attack.ts';

const FOLDERS = [
  'with space',
  `it's "quoted" \`here\``,
  'year=2026',
  '[a-z]*?{b,c}',
  '%2F%20#fragment?query',
  'ünï 漢字 🎣',
  'line\nbreak\ttab',
  'back\\slash',
  '-rf',
  '.hidden',
  '~home',
  '$HOME;ls',
  'parquet.parquet',
];

const TABLE = `
  CREATE TABLE t (id int PRIMARY KEY, day date, v text, at timestamptz DEFAULT now());
  INSERT INTO t SELECT g, date '2026-01-01' + g % 3, 'x', now() - interval '1 hour' FROM generate_series(1, 500) g`;

async function run(arena: Arena): Promise<string> {
  const partition = { column: 'day', by: 'day' } as const;
  const stream = { cursor: 'at', overlap: 0, load: 'merge', partition_by: partition } as const;
  const pair = await arena.open({ 'public.t': stream }, TABLE);
  for (const folder of FOLDERS) {
    arena.say(JSON.stringify(folder));
    pair.to.connection = { type: 'lake', path: `./${folder}/lake`, retention: '1 s' };
    await pair.run();
    await pair.from.query(`UPDATE t SET v = v || '!', day = day + 1, at = now() WHERE id % 50 = 0`);
    await pair.run();
    await arena.verify(pair, ['t']);
    arena.tally.faults++;
  }
  return 'works';
}

export const FOLDER_NAMES: Attack = {
  name: 'folder-names',
  part: 'hostile',
  promise: 'any-data',
  tries:
    'The lake lies in folders with quotes, spaces, line ends, unicode, percent signs, `[`, `*`, `?`, `{`, `;`, `$` and backslashes in their names',
  rounds: 1,
  brief: false,
  run,
};
