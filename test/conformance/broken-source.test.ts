/** The kit is worth something only if it notices: each of these sources breaks one promise, and one check names it. */
import { describe, expect, it } from 'vitest';
import { TransientError } from '../../src/core/errors.ts';
import type { DecodeFacts, Snapshot, Source, SourceFacts, StreamInfo } from '../../src/core/source.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { fromBatch, toBatch } from '../../src/testing/batch-rows.ts';
import { type MemoryDatabase, MemorySnapshot, MemorySource } from '../../src/testing/memory-source.ts';
import { openMemorySuite } from '../../src/testing/memory-suite.ts';
import { runSourceCheck, SOURCE_CHECKS, testSource } from '../../src/testing/source-conformance.ts';
import { UNREACHABLE_SECRET } from '../../src/testing/source-suite.ts';

/** A good source, for subclasses to break in one point. */
class Good implements Source {
  readonly database: MemoryDatabase;
  readonly inner: MemorySource;

  constructor(database: MemoryDatabase) {
    this.database = database;
    this.inner = new MemorySource(database);
  }

  check(signal: AbortSignal): Promise<SourceFacts> {
    return this.inner.check(signal);
  }

  discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return this.inner.discover(signal);
  }

  async open(signal: AbortSignal): Promise<Snapshot> {
    return this.wrap(await this.inner.open(signal));
  }

  wrap(snapshot: Snapshot): Snapshot {
    return snapshot;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

type Class = new (database: MemoryDatabase) => Good;

/** A good snapshot with some methods in place of its own. */
function patched(snapshot: Snapshot, methods: Partial<Snapshot>): Snapshot {
  const all: Snapshot = {
    at: snapshot.at,
    survey: (...args) => snapshot.survey(...args),
    read: (...args) => snapshot.read(...args),
    advance: (loaded) => snapshot.advance(loaded),
    alive: () => snapshot.alive(),
    close: () => snapshot.close(),
  };
  return { ...all, ...methods };
}

function snapshots(broken: (snapshot: Snapshot, source: Good) => Partial<Snapshot>): Class {
  return class extends Good {
    override wrap(snapshot: Snapshot): Snapshot {
      return patched(snapshot, broken(snapshot, this));
    }
  };
}

/** Reads rows as they are made into others. */
function reading(
  change: (rows: Cell[][]) => Cell[][],
  facts: (facts: DecodeFacts) => DecodeFacts = (same) => same,
): Class {
  return snapshots((snapshot) => ({
    async read(...args) {
      const reader = await snapshot.read(...args);
      if (reader.format === 'bytes') throw new Error('not here');
      return {
        ...reader,
        async *batches() {
          for await (const batch of reader.batches()) yield toBatch(reader.schema, change(fromBatch(batch)));
        },
        facts: () => facts(reader.facts()),
      };
    },
  }));
}

let calls = 0;

const DEFECTS: Record<string, { source: Class; found: string }> = {
  'tells its password when it fails': {
    found: 'says what it is, and fails well when it cannot be reached',
    source: class extends Good {
      override check(signal: AbortSignal): Promise<SourceFacts> {
        return super.check(signal).catch(() => {
          throw new TransientError(`connecting with password ${UNREACHABLE_SECRET}: refused`, {
            code: 'memory.down',
          });
        });
      }
    },
  },
  'lists streams in any order': {
    found: 'discovers the same every time',
    source: class extends Good {
      override async discover(signal: AbortSignal): Promise<StreamInfo[]> {
        const found = await super.discover(signal);
        return calls++ % 2 ? found.toReversed() : found;
      }
    },
  },
  'is of no use after a mistake': {
    found: 'fails well for a stream that does not exist, and goes on',
    source: snapshots((snapshot) => {
      let failed: Error | undefined;
      return {
        survey: async (...args) => {
          if (failed) throw failed;
          return snapshot.survey(...args).catch((error: Error) => {
            failed = error;
            throw error;
          });
        },
      };
    }),
  },
  'folds names to lower case': {
    found: 'takes names of any form',
    source: snapshots((snapshot) => ({
      survey: (stream, ...rest) => snapshot.survey({ ...stream, name: stream.name.toLowerCase() }, ...rest),
    })),
  },
  'takes NULL for zero': {
    found: 'brings every type and every value',
    source: reading((rows) => rows.map((row) => row.map((cell) => (cell === null ? '0' : cell)))),
  },
  'invents a greatest value where there is none': {
    found: 'reads an empty table',
    source: reading(
      (rows) => rows,
      (facts) => ({ ...facts, high: facts.high ?? '0' }),
    ),
  },
  'shows what was written after the snapshot': {
    found: 'shows one moment, however long it takes',
    source: class extends Good {
      override wrap(snapshot: Snapshot): Snapshot {
        const fresh = (): Snapshot => new MemorySnapshot(this.database);
        return patched(snapshot, { survey: (...args) => fresh().survey(...args) });
      }
    },
  },
  'takes the greatest value for the watermark and reads above it': {
    found: 'finds rows that are committed late',
    source: snapshots((snapshot) => ({
      advance: (loaded) => {
        const checkpoint = snapshot.advance(loaded);
        return { ...checkpoint, watermark: checkpoint.high };
      },
    })),
  },
  'leaves out the first row of a slice that goes on': {
    found: 'goes on from a checkpoint without a gap',
    source: snapshots((snapshot) => ({
      async survey(stream, checkpoint, ...rest) {
        const survey = await snapshot.survey(stream, checkpoint, ...rest);
        const from = survey.cursor?.from;
        return from === undefined
          ? survey
          : { ...survey, cursor: { ...survey.cursor!, from: String(BigInt(from) + 10n) } };
      },
    })),
  },
  'reads everything every time': {
    found: 'does not read everything again when little is new',
    source: snapshots((snapshot) => ({
      survey: (stream, _checkpoint, ...rest) => snapshot.survey(stream, undefined, ...rest),
    })),
  },
  'forgets where it was': {
    found: 'never lets the watermark fall',
    source: snapshots((snapshot) => ({
      advance: (loaded) => ({
        ...snapshot.advance(loaded),
        watermark: calls++ % 2 ? '0' : snapshot.advance(loaded).watermark,
      }),
    })),
  },
  'has an extra column for changes': {
    found: 'has the same schema in full and in part',
    source: snapshots((snapshot) => ({
      async survey(stream, checkpoint, ...rest) {
        const survey = await snapshot.survey(stream, checkpoint, ...rest);
        const fields = survey.schema.fields.map((field) => ({
          ...field,
          nullable: checkpoint !== undefined,
        }));
        return { ...survey, schema: { ...survey.schema, fields } };
      },
    })),
  },
  'mixes up slices that are read at once': {
    found: 'reads several slices of one snapshot at once',
    source: snapshots((snapshot) => {
      let last: Parameters<Snapshot['read']> | undefined;
      return {
        async read(...args) {
          last = args;
          await new Promise((resolve) => setImmediate(resolve));
          return snapshot.read(...last);
        },
      };
    }),
  },
  'puts a whole table into one batch': {
    found: 'waits for a slow consumer instead of filling memory, and stops when told',
    source: snapshots((snapshot) => ({
      async read(stream, survey, slice, signal) {
        const reader = await snapshot.read(stream, survey, slice, signal);
        if (reader.format === 'bytes') throw new Error('not here');
        return {
          ...reader,
          async *batches() {
            const rows: Cell[][] = [];
            for await (const batch of reader.batches()) rows.push(...fromBatch(batch));
            yield toBatch(reader.schema, rows);
          },
        };
      },
    })),
  },
  'works for who has given up': {
    found: 'does nothing for who has already given up',
    source: class extends Good {
      override discover(): Promise<StreamInfo[]> {
        return super.discover(new AbortController().signal);
      }
    },
  },
  'takes a dead connection for alive': {
    found: 'notices a lost connection and connects again',
    source: snapshots(() => ({ alive: async () => true })),
  },
  'can be closed only once': {
    found: 'can be closed twice, also while it is in use',
    source: class extends Good {
      #closed = false;
      override async close(): Promise<void> {
        if (this.#closed) throw new Error('closed already');
        this.#closed = true;
      }
    },
  },
};

describe('the checks of a source', () => {
  it.each(Object.entries(DEFECTS))('notice one that %s', async (_, { source: Broken, found }) => {
    const check = SOURCE_CHECKS.find(({ name }) => name === found);
    await expect(
      runSourceCheck(check!, { open: () => openMemorySuite((database) => new Broken(database)) }),
    ).rejects.toThrow(/./);
  });

  it('have a defect each', () => {
    expect(new Set(Object.values(DEFECTS).map(({ found }) => found))).toEqual(
      new Set(SOURCE_CHECKS.map(({ name }) => name)),
    );
  });

  it('want skips that name a check', () => {
    const skips = [{ check: 'does something', reason: 'whatever' }];
    expect(() => testSource({ name: 'x', open: () => openMemorySuite(), skips })).toThrow(
      'there is no check "does something"',
    );
  });
});
