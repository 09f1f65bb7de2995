import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../core/byte-ring.ts';
import { schemaToJson } from '../core/schema.ts';
import type { Checkpoint } from '../core/stream.ts';
import type { Cell } from './batch-rows.ts';
import { readSlice } from './read-slice.ts';
import {
  labels,
  NAMES,
  readIncrement,
  readNow,
  refusal,
  rowsUpTo,
  SIGNAL,
  soon,
  type SourceCheck,
  type SourceSuite,
  streamOf,
  UNREACHABLE_SECRET,
  WHOLE,
} from './source-suite.ts';

/** Registers every check of the source contract with vitest. */
export function testSource(suite: SourceSuite): void {
  const skips = new Map(suite.skips?.map(({ check, reason }) => [check, reason]));
  const unknown = [...skips.keys()].filter((name) => !SOURCE_CHECKS.some((check) => check.name === name));
  if (unknown.length > 0)
    throw new Error(`testing ${suite.name}: there is no check "${unknown.join('", "')}"`);
  describe(`source ${suite.name}`, () => {
    for (const check of SOURCE_CHECKS) {
      const reason = skips.get(check.name);
      if (reason !== undefined) it.skip(`${check.name} (${reason})`);
      else it(check.name, { timeout: 60_000 }, () => runSourceCheck(check, suite));
    }
  });
}

export async function runSourceCheck(check: SourceCheck, suite: Pick<SourceSuite, 'open'>): Promise<void> {
  const under = await suite.open();
  try {
    await check.run(under);
  } finally {
    await under.close();
  }
}

/** The contract in parts; exported so that the kit itself can be tested against broken sources. */
export const SOURCE_CHECKS: readonly SourceCheck[] = [
  {
    name: 'says what it is, and fails well when it cannot be reached',
    async run(under) {
      expect((await (await under.source()).check(SIGNAL)).title).not.toBe('');
      const away = await under.unreachable();
      const attempts: (() => Promise<unknown>)[] = [
        () => away.check(SIGNAL),
        () => away.discover(SIGNAL),
        () => away.open(SIGNAL),
      ];
      for (const attempt of attempts) {
        const error = await refusal(soon(attempt()), ['transient', 'auth', 'config']);
        expect(error.code).toMatch(/^[a-z_]+\.[a-z_]+$/);
        expect(`${error.message} ${error.remedy} ${JSON.stringify(error.details)}`).not.toContain(
          UNREACHABLE_SECRET,
        );
      }
    },
  },
  {
    name: 'discovers the same every time',
    async run(under) {
      const streams = [await under.createTable('b'), await under.createTable('a')];
      const source = await under.source();
      const found = await source.discover(SIGNAL);
      expect(await source.discover(SIGNAL)).toEqual(found);
      expect(await (await under.source()).discover(SIGNAL)).toEqual(found);
      for (const stream of streams) {
        const info = found.find(({ name }) => name === stream)!;
        expect(info.schema.fields.map((field) => field.name)).toEqual(['id', 'label', 'changed']);
        expect(info.schema.key).toEqual(['id']);
        expect(info.cursors.map(({ column }) => column)).toContain('changed');
      }
    },
  },
  {
    name: 'fails well for a stream that does not exist, and goes on',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const snapshot = await (await under.source()).open(SIGNAL);
      await refusal(snapshot.survey({ ...stream, name: `${stream.name}_not` }, undefined, {}, SIGNAL), [
        'config',
      ]);
      await refusal(snapshot.survey({ ...stream, cursor: ['nope'] }, undefined, {}, SIGNAL), ['config']);
      expect((await readIncrement(snapshot, stream)).rows).toEqual([]);
      await snapshot.close();
    },
  },
  {
    name: 'takes names of any form',
    async run(under) {
      const source = await under.source();
      for (const name of NAMES) {
        const stream = await under.createTable(name);
        await under.write(stream, [{ id: 1, label: name }]);
        expect(labels((await readNow(source, streamOf(stream))).rows)).toEqual(new Map([['1', name]]));
      }
      expect((await source.discover(SIGNAL)).length).toBe(NAMES.length);
    },
  },
  {
    name: 'brings every type and every value',
    async run(under) {
      const { stream, columns, rows } = await under.everyType();
      const read = await readNow(await under.source(), streamOf(stream, []));
      expect(schemaToJson(read.survey.schema).fields.map(({ name, type }) => ({ name, type }))).toEqual(
        columns,
      );
      const text = (row: readonly Cell[]): string => JSON.stringify(row);
      expect(read.rows.map(text).sort()).toEqual(rows.map(text).sort());
    },
  },
  {
    name: 'reads an empty table',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const snapshot = await (await under.source()).open(SIGNAL);
      const survey = await snapshot.survey(stream, undefined, {}, SIGNAL);
      const read = await readSlice(await snapshot.read(stream, survey, WHOLE, SIGNAL));
      expect(read).toMatchObject({ rows: [], facts: { rows: 0, high: undefined } });
      await snapshot.close();
    },
  },
  {
    name: 'shows one moment, however long it takes',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      await under.write(stream.name, rowsUpTo(3, 'before'));
      const snapshot = await (await under.source()).open(SIGNAL);
      await under.write(stream.name, rowsUpTo(5, 'after'));
      const survey = await snapshot.survey(stream, undefined, {}, SIGNAL);
      for (let i = 0; i < 2; i++) {
        const { rows } = await readSlice(await snapshot.read(stream, survey, WHOLE, SIGNAL));
        expect(new Set(labels(rows).values())).toEqual(new Set(['before 1', 'before 2', 'before 3']));
      }
      await snapshot.close();
    },
  },
  {
    name: 'goes on from a checkpoint without a gap',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      const known = new Map<string, Cell>();
      let checkpoint: Checkpoint | undefined;
      for (let round = 1; round < 6; round++) {
        await under.write(stream.name, [
          { id: 100 + round, label: `new ${round}` },
          { id: 1, label: `changed ${round}` },
        ]);
        const read = await readNow(source, stream, checkpoint);
        for (const [id, label] of labels(read.rows)) known.set(id, label);
        checkpoint = JSON.parse(JSON.stringify(read.checkpoint)) as Checkpoint;
        const all = await readNow(source, stream);
        expect(known).toEqual(labels(all.rows));
      }
    },
  },
  {
    name: 'does not read everything again when little is new',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      await under.write(stream.name, rowsUpTo(500, 'old'));
      const first = await readNow(source, stream);
      const second = await readNow(source, stream, first.checkpoint);
      await under.write(stream.name, [{ id: 7, label: 'new' }]);
      const third = await readNow(source, stream, second.checkpoint);
      expect(labels(third.rows).get('7')).toBe('new');
      expect(third.rows.length).toBeLessThan(500);
    },
  },
  {
    name: 'finds rows that are committed late',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      const commit = await under.writeOpen(stream.name, [{ id: 1, label: 'late' }]);
      await under.write(stream.name, [{ id: 2, label: 'quick' }]);
      const first = await readNow(source, stream);
      expect([...labels(first.rows).keys()]).toEqual(['2']);
      const second = await readNow(source, stream, first.checkpoint);
      await commit();
      const third = await readNow(source, stream, second.checkpoint);
      expect(labels(third.rows).get('1')).toBe('late');
    },
  },
  {
    name: 'never lets the watermark fall',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      const marks: string[] = [];
      let checkpoint: Checkpoint | undefined;
      for (let round = 0; round < 4; round++) {
        await under.write(stream.name, [{ id: round, label: 'x' }]);
        const commit = await under.writeOpen(stream.name, [{ id: 100 + round, label: 'x' }]);
        ({ checkpoint } = await readNow(source, stream, checkpoint));
        marks.push(checkpoint.watermark ?? '');
        await commit();
      }
      expect(marks).toEqual(marks.toSorted());
      expect(marks.at(-1)! > marks[0]!).toBe(true);
    },
  },
  {
    name: 'has the same schema in full and in part',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      await under.write(stream.name, rowsUpTo(3, 'x'));
      const first = await readNow(source, stream);
      await under.write(stream.name, rowsUpTo(1, 'y'));
      const second = await readNow(source, stream, first.checkpoint);
      expect(schemaToJson(second.survey.schema)).toEqual(schemaToJson(first.survey.schema));
      const whole = await readNow(source, streamOf(stream.name, []));
      expect(schemaToJson(whole.survey.schema)).toEqual(schemaToJson(first.survey.schema));
    },
  },
  {
    name: 'reads several slices of one snapshot at once',
    async run(under) {
      const streams = [streamOf(await under.createTable('a')), streamOf(await under.createTable('b'))];
      for (const [i, stream] of streams.entries())
        await under.write(stream.name, rowsUpTo(50 * (i + 1), stream.name));
      const snapshot = await (await under.source()).open(SIGNAL);
      const surveys = await Promise.all(
        streams.map((stream) => snapshot.survey(stream, undefined, {}, SIGNAL)),
      );
      const counts = await Promise.all(
        [0, 1, 0, 1].map(
          async (i) =>
            (await readSlice(await snapshot.read(streams[i]!, surveys[i]!, WHOLE, SIGNAL))).rows.length,
        ),
      );
      expect(counts).toEqual([50, 100, 50, 100]);
      await snapshot.close();
    },
  },
  {
    name: 'waits for a slow consumer instead of filling memory, and stops when told',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      await under.write(stream.name, rowsUpTo(20_000, 'x'.repeat(1000)));
      const snapshot = await (await under.source()).open(SIGNAL);
      const survey = await snapshot.survey(stream, undefined, {}, SIGNAL);
      const stop = new AbortController();
      const reader = await snapshot.read(stream, survey, WHOLE, stop.signal);
      if (reader.format === 'bytes') {
        const memory = createRing(64 << 10, 4);
        let bytes = 0;
        const pumped = reader.pump(new RingProducer(memory), (more) => (bytes += more));
        pumped.catch(() => undefined);
        // Nobody reads: the source must come to rest far from the 20 MB of the table.
        for (let before = -1; before !== bytes || bytes === 0;) {
          before = bytes;
          await sleep(100);
        }
        expect(bytes).toBeLessThan(8 << 20);
        stop.abort();
        await sleep(0);
        new RingConsumer(memory).abandon();
        await refusal(soon(pumped), ['cancelled']);
      } else {
        const batches = reader.batches()[Symbol.asyncIterator]();
        const first = await batches.next();
        if (!first.done) expect(first.value.byteLength()).toBeLessThan(8 << 20);
        stop.abort();
        await refusal(soon(batches.next()), ['cancelled']);
      }
      await reader.close();
      await snapshot.close();
    },
  },
  {
    name: 'does nothing for who has already given up',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      const gone = AbortSignal.abort();
      const attempts: (() => Promise<unknown>)[] = [
        () => source.check(gone),
        () => source.discover(gone),
        () => source.open(gone),
      ];
      for (const attempt of attempts) await refusal(soon(attempt()), ['cancelled']);
      const snapshot = await source.open(SIGNAL);
      await refusal(soon(snapshot.survey(stream, undefined, {}, gone)), ['cancelled']);
      expect((await readIncrement(snapshot, stream)).rows).toEqual([]);
      await snapshot.close();
    },
  },
  {
    name: 'notices a lost connection and connects again',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      await under.write(stream.name, rowsUpTo(3, 'x'));
      const source = await under.source();
      const snapshot = await source.open(SIGNAL);
      expect(await snapshot.alive()).toBe(true);
      await under.disconnect();
      await refusal(soon(snapshot.survey(stream, undefined, {}, SIGNAL)), ['transient']);
      expect(await soon(snapshot.alive())).toBe(false);
      await snapshot.close();
      expect((await readNow(source, stream)).rows).toHaveLength(3);
    },
  },
  {
    name: 'can be closed twice, also while it is in use',
    async run(under) {
      const stream = streamOf(await under.createTable('t'));
      const source = await under.source();
      const snapshot = await source.open(SIGNAL);
      await snapshot.survey(stream, undefined, {}, SIGNAL);
      await source.close();
      await source.close();
      await snapshot.close();
    },
  },
];
