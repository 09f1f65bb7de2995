/** Files of the lake are changed, cut, emptied, deleted or copied by somebody who is not Sluice. */
import { copyFileSync, cpSync, globSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openCatalog } from '../../src/catalog/index.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { errorInfo } from '../../src/core/error-json.ts';
import { asSluiceError } from '../../src/core/errors.ts';
import type { ErrorInfo } from '../../src/core/events.ts';
import { render } from '../../src/connectors/lake/records-json.ts';
import type { Arena, Attack } from '../attack.ts';
import { LakeSide } from '../lake-side.ts';
import type { Pair } from '../pair.ts';
import type { Random } from '../random.ts';
import { addRows, changeRows, FAULT, openShop, tablesOf } from './destination-ground.ts';
import { expectError, mustHeal } from './expect.ts';

type Lines = Map<string, string[]>;

/** A lake that was loaded, and is damaged again and again from a copy. */
class Patient {
  readonly pair: Pair;
  readonly #whole: string;
  readonly #lines: Lines = new Map();

  private constructor(pair: Pair) {
    this.pair = pair;
    this.#whole = path.join(pair.folder, 'whole');
  }

  /** With `notes` of more than 20 commits, so of a snapshot, and rows in the source that wait to be loaded. */
  static async make(arena: Arena): Promise<Patient> {
    const pair = await openShop(arena);
    await pair.run();
    const { checkpoint, version } = (await pair.to.state('notes'))!;
    for (let seq = version + 1; seq < 20; seq++) await pair.to.commitCheckpoint('notes', checkpoint!);
    for (let first = 100; first < (arena.brief ? 110 : 130); first += 10) {
      await addRows(pair, first, 4, 8);
      await changeRows(pair, `since ${first} `);
      await pair.run();
    }
    const patient = new Patient(pair);
    cpSync(pair.to.root, patient.#whole, { recursive: true });
    for (const table of tablesOf(pair)) patient.#lines.set(table, await pair.to.lines(table, 'history'));
    await addRows(pair, 200, 4);
    await changeRows(pair, 'at last ');
    return patient;
  }

  reset(): void {
    rmSync(this.pair.to.root, { recursive: true, force: true });
    cpSync(this.#whole, this.pair.to.root, { recursive: true });
  }

  file(key: string): string {
    return path.join(this.pair.to.root, key);
  }

  keys(pattern: string): string[] {
    return globSync(pattern, { cwd: this.#whole }).toSorted();
  }

  /** What a reader finds in a table, through an engine that has not seen the files before. */
  async read(table: string): Promise<'right' | 'wrong' | ErrorInfo> {
    const reader = new LakeSide(this.pair.folder);
    reader.connection = this.pair.to.connection;
    try {
      const lines = await reader.lines(table, 'history');
      return isDeepStrictEqual(lines, this.#lines.get(table)) ? 'right' : 'wrong';
    } catch (error) {
      return errorInfo(asSluiceError(error, 'reading'));
    } finally {
      await reader.close();
    }
  }

  /** Keys of files that `catalog check` finds at fault. */
  async check(): Promise<string[]> {
    const catalog = openCatalog({ storage: openLocalStorage(this.pair.to.root) });
    try {
      const { findings } = await catalog.check();
      return findings.filter(({ severity }) => severity !== 'info').map(({ file }) => file ?? '');
    } finally {
      await catalog.close();
    }
  }
}

/** Something done to a file; `true` when it may make the table what it was a commit before. */
type Damage = (patient: Patient, key: string, random: Random) => boolean;

const flip: Damage = (patient, key, random) => {
  const bytes = readFileSync(patient.file(key));
  bytes[random.int(0, bytes.length - 1)]! ^= 1 << random.int(0, 7);
  writeFileSync(patient.file(key), bytes);
  return false;
};
/** Another digit is the damage that JSON does not notice. */
const otherDigit: Damage = (patient, key, random) => {
  const text = readFileSync(patient.file(key), 'latin1');
  // A watermark that is too high loses rows, which is the worst that can come of it.
  const [from, to] = random.chance(0.5) ? within(text, '"watermark":"') : [0, text.length];
  const digits = [...text.matchAll(/\d/g)].filter(({ index }) => index >= from && index < to);
  if (digits.length === 0) return flip(patient, key, random);
  const { 0: digit, index } = random.pick(digits);
  const other = (Number(digit) + random.int(1, 9)) % 10;
  writeFileSync(patient.file(key), text.slice(0, index) + other + text.slice(index + 1), 'latin1');
  return false;
};
/** Where the value lies that begins with `begin`; everywhere when there is none. */
function within(text: string, begin: string): [number, number] {
  const from = text.indexOf(begin) + begin.length;
  return from < begin.length ? [0, text.length] : [from, text.indexOf('"', from)];
}
const cut: Damage = (patient, key, random) => {
  truncateSync(patient.file(key), random.int(1, readFileSync(patient.file(key)).length - 1));
  return false;
};
const empty: Damage = (patient, key) => {
  truncateSync(patient.file(key), 0);
  return isNewest(patient, key);
};
const remove: Damage = (patient, key) => {
  rmSync(patient.file(key));
  return isNewest(patient, key);
};
const duplicate: Damage = (patient, key) => {
  const newest = patient.keys(`${path.dirname(key)}/*`).at(-1)!;
  const next = newest.replace(/\d+(?=\.json$)/, (digits) =>
    String(Number(digits) + 1).padStart(digits.length, '0'),
  );
  copyFileSync(patient.file(key), patient.file(next === newest ? `${newest}.copy` : next));
  return false;
};

function isNewest(patient: Patient, key: string): boolean {
  return patient.keys(`${path.dirname(key)}/*`).at(-1) === key;
}

const LOG_KINDS = ['_sluice/tables/*/commits/*', '_sluice/tables/*/snapshots/*', '_sluice/names/*'];
const LOG_CODES = [
  'lake.commit_corrupt',
  'lake.commit_invalid',
  'lake.commit_missing',
  'lake.name_corrupt',
  'storage.unfinished',
];

const log: Attack = {
  ...FAULT,
  name: 'log-damaged',
  tries:
    'Random bits and digits of commits, snapshots and names are changed; they are cut, emptied, deleted, copied to another number',
  rounds: 10,
  brief: true,
  async run(arena) {
    const patient = await Patient.make(arena);
    const { random, brief } = arena;
    const damages = [flip, otherDigit, flip, otherDigit, flip, otherDigit, cut, empty, remove, duplicate];
    for (const damage of brief ? [flip, otherDigit] : damages) {
      patient.reset();
      const key = random.pick(patient.keys(random.pick(brief ? LOG_KINDS.slice(0, 1) : LOG_KINDS)));
      const what = `${damage.name} of ${key}`;
      arena.say(what);
      const mayGoBack = damage(patient, key, random);
      arena.tally.faults++;
      try {
        await meetLogDamage(arena, patient, mayGoBack);
      } catch (error) {
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      }
    }
    return 'right, or lake.commit_corrupt and the like, then whole';
  },
};

async function meetLogDamage(arena: Arena, patient: Patient, mayGoBack: boolean): Promise<void> {
  const { pair } = patient;
  let met = false;
  const judge = (error: ErrorInfo): void => {
    expectError(error, { codes: LOG_CODES, names: [/"[^"]*\.json"/] });
    met = true;
  };
  for (const table of tablesOf(pair)) {
    const found = await patient.read(table);
    if (found === 'wrong' && !mayGoBack) throw new Error(`readers of ${table} get other rows in silence`);
    if (typeof found === 'object') judge(found);
  }
  const { streams } = await pair.attempt();
  for (const { table, error } of streams) {
    if (error) judge(error);
    else await arena.verify(pair, [table]);
  }
  if (!met) return;
  patient.reset();
  await pair.run();
  await arena.verify(pair, tablesOf(pair));
}

const data: Attack = {
  ...FAULT,
  name: 'data-damaged',
  tries: 'Random bits of data files are changed; files are cut, emptied and deleted',
  rounds: 3,
  async run(arena) {
    const patient = await Patient.make(arena);
    const { pair } = patient;
    const { random } = arena;
    for (const damage of [flip, flip, flip, flip, flip, flip, cut, empty, remove]) {
      patient.reset();
      const { table, key } = await liveFile(pair, random);
      damage(patient, key, random);
      arena.tally.faults++;
      const checked = await patient.check();
      if (!checked.includes(key)) throw new Error(`check does not find ${damage.name} of ${key}`);
      // A changed bit may be another value to the reader: Parquet has no checksums, so it is the check that finds it.
      const found = await patient.read(table);
      if (typeof found === 'object') {
        if (!found.message.includes(key) && !found.remedy?.includes('catalog check'))
          throw new Error(`readers do not learn which file it is: ${found.message}`);
        expectError(found, { codes: ['disk.damaged', 'disk.missing', 'duckdb.failed'], names: [] });
      }
      if (damage !== flip) {
        if (typeof found !== 'object') throw new Error(`readers do not notice ${damage.name} of ${key}`);
        const { streams } = await pair.attempt();
        for (const { error } of streams)
          if (error) expectError(error, { codes: ['disk.damaged', 'disk.missing'], names: [] });
      }
      patient.reset();
      await pair.run();
      await arena.verify(pair, tablesOf(pair));
    }
    return 'found by check; readers notice most, and name the file';
  },
};

async function liveFile(pair: Pair, random: Random): Promise<{ table: string; key: string }> {
  const table = random.pick(tablesOf(pair));
  const { files } = (await pair.to.state(table))!;
  return { table, key: random.pick(files).key };
}

const newerLog: Attack = {
  ...FAULT,
  name: 'log-newer',
  tries: 'The newest commit was made by a version of Sluice that this one does not know',
  rounds: 1,
  async run(arena) {
    const patient = await Patient.make(arena);
    const { pair } = patient;
    for (const table of tablesOf(pair)) {
      const newest = patient.keys(`_sluice/tables/${table}/commits/*`).at(-1)!;
      const { checksum: _, ...record } = JSON.parse(readFileSync(patient.file(newest), 'utf8')) as object & {
        checksum: string;
      };
      writeFileSync(patient.file(newest), render({ ...record, format: 2 }));
    }
    arena.tally.faults++;
    const { streams } = await pair.attempt();
    for (const { error } of streams) {
      if (!error) throw new Error('a commit of another format was taken for one of ours');
      expectError(error, { codes: ['lake.format_newer'], names: ['.json"'] });
    }
    patient.reset();
    await mustHeal(arena, pair, tablesOf(pair));
    return 'lake.format_newer, then whole';
  },
};

export const DAMAGE_FAULTS: readonly Attack[] = [log, data, newerLog];
