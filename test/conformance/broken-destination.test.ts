/** The kit is worth something only if it notices: each of these destinations breaks one promise, and one check names it. */
import { describe, expect, it } from 'vitest';
import type { ComparedTables } from '../../src/core/compare.ts';
import type {
  Committed,
  Destination,
  Load,
  StageOptions,
  Supersede,
  TableSpec,
  TableState,
  TableWriter,
} from '../../src/core/destination.ts';
import { ConflictError, DataError } from '../../src/core/errors.ts';
import type { SliceReader } from '../../src/core/source.ts';
import type { Checkpoint, Slice } from '../../src/core/stream.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { DESTINATION_CHECKS, runCheck, testDestination } from '../../src/testing/destination-conformance.ts';
import { MemoryDestination, MemoryStore } from '../../src/testing/memory-destination.ts';

interface Stored {
  cells: Map<string, Cell>;
  load: number;
}

/** A good destination, for subclasses to break in one point. */
class Good implements Destination {
  readonly store: MemoryStore;
  readonly inner: MemoryDestination;

  constructor(store: MemoryStore) {
    this.store = store;
    this.inner = new MemoryDestination(store);
  }

  check(): Promise<{ title: string }> {
    return this.inner.check();
  }

  describe(table: string): Promise<TableState | undefined> {
    return this.inner.describe(table);
  }

  compare(): Promise<ComparedTables> {
    return this.inner.compare();
  }

  async openTable(spec: TableSpec): Promise<TableWriter> {
    return this.wrap(await this.inner.openTable(spec), spec);
  }

  wrap(writer: TableWriter, _spec: TableSpec): TableWriter {
    return writer;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A good writer, to be broken. */
class Writer implements TableWriter {
  readonly inner: TableWriter;

  constructor(inner: TableWriter) {
    this.inner = inner;
  }

  stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    return this.inner.stage(slice, reader, options, signal);
  }

  commit(loads: Load[], supersede: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    return this.inner.commit(loads, supersede, checkpoint);
  }

  abort(loads: Load[]): Promise<void> {
    return this.inner.abort(loads);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

type Class = new (store: MemoryStore) => Good;

/** A destination whose writers have this `stage`. */
function staging(stage: (this: Writer, ...args: Parameters<TableWriter['stage']>) => Promise<Load>): Class {
  return class extends Good {
    override wrap(writer: TableWriter): TableWriter {
      return Object.assign(new Writer(writer), { stage });
    }
  };
}

/** A destination whose writers have this `commit`. */
function committing(
  commit: (this: Writer, ...args: Parameters<TableWriter['commit']>) => ReturnType<TableWriter['commit']>,
): Class {
  return class extends Good {
    override wrap(writer: TableWriter): TableWriter {
      return Object.assign(new Writer(writer), { commit });
    }
  };
}

const rowsOf = (load: Load): Stored[] => load.parts as Stored[];

const DEFECTS: Record<string, { destination: Class; found: string }> = {
  'forgets the checkpoint': {
    found: 'creates a table with its first load and describes it',
    destination: committing(function (loads, supersede) {
      return this.inner.commit(loads, supersede, { cursor: [] });
    }),
  },
  'takes an empty text for NULL': {
    found: 'keeps nulls, extremes and any text of every type',
    destination: committing(function (loads, supersede, checkpoint) {
      for (const row of loads.flatMap(rowsOf))
        for (const [name, cell] of row.cells) if (cell === '') row.cells.set(name, null);
      return this.inner.commit(loads, supersede, checkpoint);
    }),
  },
  'keeps batches beyond their time': {
    found: 'takes more rows than a batch from a batch that is used again',
    destination: staging(function (slice, reader, options, signal) {
      if (reader.format === 'bytes') throw new Error('not here');
      const all = async function* (): AsyncGenerator<never> {
        const batches = await Array.fromAsync(reader.batches());
        yield* batches as never[];
      };
      return this.inner.stage(slice, { ...reader, batches: all }, options, signal);
    }),
  },
  'counts rows that it dropped': {
    found: 'tells how many rows it has read and kept',
    destination: staging(async function (slice, reader, options, signal) {
      const load = await this.inner.stage(slice, reader, options, signal);
      return { ...load, rows: load.facts.rows };
    }),
  },
  'replaces where it should append': {
    found: 'appends to what is there',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(loads, loads.length > 0 ? { kind: 'everything' } : supersede, checkpoint);
    }),
  },
  'appends where it should merge': {
    found: 'lets rows take the place of those with their key',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(loads, supersede.kind === 'key' ? { kind: 'nothing' } : supersede, checkpoint);
    }),
  },
  'leaves rows of groups that have others now': {
    found:
      'lets rows take the place of all that the groups have that are named, also of those without rows now',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(
        loads,
        supersede.kind === 'groups' ? { kind: 'nothing' } : supersede,
        checkpoint,
      );
    }),
  },
  'takes no NULL for equal to another': {
    found: 'takes NULLs in a key for equal',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const commit: TableWriter['commit'] = (loads, supersede, checkpoint) => {
          const stored = store.tables.get(spec.table);
          const key = supersede.kind === 'key' ? supersede.key : [];
          const hidden = stored?.rows.filter((row) => key.some((name) => row.cells.get(name) === null)) ?? [];
          return writer.commit(loads, supersede, checkpoint).then((result) => {
            const now = store.tables.get(spec.table)!;
            store.tables.set(spec.table, { ...now, rows: [...new Set([...now.rows, ...hidden])] });
            return result;
          });
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'keeps the last of rows that share a key': {
    found: 'refuses rows that share a key when they are to replace by key',
    destination: committing(function (loads, supersede, checkpoint) {
      if (supersede.kind === 'key') {
        for (const load of loads)
          load.parts = [
            ...new Map(
              rowsOf(load).map((row) => [supersede.key.map((name) => row.cells.get(name)).join(), row]),
            ).values(),
          ];
      }
      return this.inner.commit(loads, supersede, checkpoint);
    }),
  },
  'takes the end of a window for part of it': {
    found: 'lets rows take the place of a window, bounds included and excluded',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(
        loads,
        supersede.kind === 'window' ? { ...supersede, to: String(Number(supersede.to) + 1) } : supersede,
        checkpoint,
      );
    }),
  },
  'keeps rows without a value': {
    found: 'lets rows take the place of those without a value of a column',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(
        loads,
        supersede.kind === 'value' && supersede.value === null ? { kind: 'nothing' } : supersede,
        checkpoint,
      );
    }),
  },
  'keeps rows with a text that is taken the place of': {
    found: 'lets rows take the place of those with a text in a column',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(
        loads,
        supersede.kind === 'value' && supersede.value !== null ? { kind: 'nothing' } : supersede,
        checkpoint,
      );
    }),
  },
  'takes rows of its heir for a mistake in its own': {
    found: 'tells who was shut out and finds rows of others so',
    destination: committing(async function (loads, supersede, checkpoint) {
      try {
        return await this.inner.commit(loads, supersede, checkpoint);
      } catch (error) {
        if (!(error instanceof ConflictError) || loads.every(({ rows }) => rows === 0)) throw error;
        throw new DataError('rows share their key', { code: 'test.doubles' });
      }
    }),
  },
  'empties a table before it fills it': {
    found: 'lets rows take the place of everything',
    destination: committing(async function (loads, supersede, checkpoint) {
      return this.inner.commit(
        supersede.kind === 'everything' ? loads.filter((load) => load.rows > 1) : loads,
        supersede,
        checkpoint,
      );
    }),
  },
  'shows rows before they are committed': {
    found: 'shows several slices of one commit at once',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const stage: TableWriter['stage'] = async (...args) => {
          const load = await writer.stage(...args);
          const state = {
            schema: spec.schema,
            checkpoint: undefined,
            stream: spec.stream,
            rows: load.rows,
            bytes: 0,
            version: 0,
            fence: 0,
          };
          const before = store.tables.get(spec.table);
          store.tables.set(spec.table, {
            state: before?.state ?? state,
            rows: [...(before?.rows ?? []), ...rowsOf(load)],
          });
          return load;
        };
        return Object.assign(new Writer(writer), { stage });
      }
    },
  },
  'puts new columns at the end': {
    found: 'adds a column, empty where it was not there, and keeps the order of the columns',
    destination: class extends Good {
      override async openTable(spec: TableSpec): Promise<TableWriter> {
        const before = (await this.describe(spec.table))?.schema.fields.map((field) => field.name) ?? [];
        const place = (name: string): number =>
          before.includes(name) ? before.indexOf(name) : before.length;
        const fields = spec.schema.fields.toSorted((a, b) => place(a.name) - place(b.name));
        return super.openTable({ ...spec, schema: { ...spec.schema, fields } });
      }
    },
  },
  'fills what is missing with an empty text': {
    found: 'fills a column that the source lacks with NULL',
    destination: committing(function (loads, supersede, checkpoint) {
      for (const row of loads.flatMap(rowsOf)) if (!row.cells.has('age')) row.cells.set('age', '');
      return this.inner.commit(loads, supersede, checkpoint);
    }),
  },
  'leaves old values as narrow as they were': {
    found: 'widens a column and keeps its values',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const commit: TableWriter['commit'] = async (loads, supersede, checkpoint) => {
          const old = store.tables.get(spec.table)?.rows ?? [];
          const result = await writer.commit(loads, supersede, checkpoint);
          const now = store.tables.get(spec.table)!;
          store.tables.set(spec.table, {
            ...now,
            rows: supersede.kind === 'nothing' ? [...old, ...now.rows.slice(old.length)] : now.rows,
          });
          return result;
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'counts every commit as a version of the columns': {
    found: 'keeps every version of its columns with the commit that brought it',
    destination: class extends Good {
      override async describe(table: string): Promise<TableState | undefined> {
        const state = await super.describe(table);
        const first = state?.schemas?.[0];
        if (!state || !first) return state;
        const schemas = Array.from({ length: state.version }, (_, i) => ({ ...first, version: i + 1 }));
        return { ...state, schemas };
      }
    },
  },
  'drops columns that the source no longer has': {
    found: 'refuses to narrow or drop a column',
    destination: class extends Good {
      override async openTable(spec: TableSpec): Promise<TableWriter> {
        const stored = this.store.tables.get(spec.table);
        if (stored && spec.schema.fields.length <= stored.state.schema.fields.length) {
          this.store.tables.set(spec.table, { ...stored, state: { ...stored.state, schema: spec.schema } });
        }
        return super.openTable(spec);
      }
    },
  },
  'compares nothing': {
    found: 'brings the rows of a committed slice only once',
    destination: staging(function (slice, reader, options, signal) {
      return this.inner.stage(slice, reader, { ...options, distinct: undefined }, signal);
    }),
  },
  'compares with every version there ever was': {
    found: 'takes a row that has gone from A to B and back for new',
    destination: staging(function (slice, reader, options, signal) {
      return this.inner.stage(
        slice,
        reader,
        { ...options, distinct: options.distinct && { ...options.distinct, key: [] } },
        signal,
      );
    }),
  },
  'cannot forget a load twice': {
    found: 'leaves nothing to see of a load that is aborted',
    destination: class extends Good {
      override wrap(writer: TableWriter): TableWriter {
        const gone = new Set<Load>();
        const abort = async (loads: Load[]): Promise<void> => {
          for (const load of loads) {
            if (gone.has(load)) throw new Error('it is gone already');
            gone.add(load);
          }
        };
        return Object.assign(new Writer(writer), { abort });
      }
    },
  },
  'takes a failed reader for one that has ended': {
    found: 'passes on why a reader failed, leaves nothing to see and goes on',
    destination: staging(function (slice, reader, options, signal) {
      if (reader.format === 'bytes') throw new Error('not here');
      const calm = async function* (): AsyncGenerator<never> {
        try {
          yield* reader.batches() as AsyncIterable<never>;
        } catch {
          // Nobody hears of it.
        }
      };
      return this.inner.stage(slice, { ...reader, batches: calm }, options, signal);
    }),
  },
  'does not hear that it is to stop': {
    found: 'stops at once when it is told, and leaves nothing to see',
    destination: staging(function (slice, reader, options) {
      return this.inner.stage(slice, reader, options, new AbortController().signal);
    }),
  },
  'lets a second first load overwrite the first': {
    found: 'lets one of two first loads win',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const commit: TableWriter['commit'] = (...args) => {
          if (spec.expectedVersion === 0) store.tables.delete(spec.table);
          return writer.commit(...args);
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'names what it writes after the lease, the moment and the slice alone': {
    found: 'loads what was planned again, under the same lease and of the same moment',
    destination: class extends Good {
      readonly #names = new Set<string>();
      override wrap(writer: TableWriter, { fence, loadedAt }: TableSpec): TableWriter {
        const commit: TableWriter['commit'] = async (loads, ...args) => {
          for (const { slice } of loads) {
            const name = `${fence} ${loadedAt} ${slice.id}`;
            if (this.#names.has(name)) throw new DataError(`${name} is taken`, { code: 'kit.taken' });
            this.#names.add(name);
          }
          return writer.commit(loads, ...args);
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'commits whatever was committed meanwhile': {
    found: 'refuses a commit that was planned before another one',
    destination: class extends Good {
      override openTable(spec: TableSpec): Promise<TableWriter> {
        const { store, inner } = this;
        const now = (): number => store.tables.get(spec.table)?.state.version ?? 0;
        const late: TableWriter = {
          stage: async (...args) =>
            (await inner.openTable({ ...spec, expectedVersion: now() })).stage(...args),
          commit: async (...args) =>
            (await inner.openTable({ ...spec, expectedVersion: now() })).commit(...args),
          abort: async () => {},
          close: async () => {},
        };
        return Promise.resolve(late);
      }
    },
  },
  'takes any fence': {
    found: 'refuses an older fence, and an empty commit shuts it out',
    destination: class extends Good {
      override openTable(spec: TableSpec): Promise<TableWriter> {
        return super.openTable({
          ...spec,
          fence: Math.max(spec.fence, this.store.tables.get(spec.table)?.state.fence ?? 0),
        });
      }
    },
  },
  'forgets the checkpoint when none is given': {
    found: 'stores a checkpoint without rows, and keeps it when none is given',
    destination: committing(function (loads, supersede, checkpoint) {
      return this.inner.commit(loads, supersede, checkpoint ?? { cursor: [] });
    }),
  },
  'takes capitals in names for nothing': {
    found: 'takes long and reserved names of tables and columns',
    destination: class extends Good {
      override openTable(spec: TableSpec): Promise<TableWriter> {
        const fields = spec.schema.fields.map((field) => ({ ...field, name: field.name.toLowerCase() }));
        return super.openTable({ ...spec, schema: { ...spec.schema, fields } });
      }
    },
  },
  'has one scratch folder for all tables': {
    found: 'loads two tables at once without mixing them',
    destination: class extends Good {
      #scratch: unknown;
      override wrap(writer: TableWriter): TableWriter {
        const stage: TableWriter['stage'] = async (...args) => {
          const load = await writer.stage(...args);
          this.#scratch = load.parts;
          return load;
        };
        const commit: TableWriter['commit'] = (loads, ...rest) =>
          writer.commit(
            loads.map((load) => ({ ...load, parts: this.#scratch })),
            ...rest,
          );
        return Object.assign(new Writer(writer), { stage, commit });
      }
    },
  },
  'leaves half a load behind when its process dies': {
    found: 'forgets a load whose process died before the commit',
    destination: staging(async function (slice, reader, options, signal) {
      const load = await this.inner.stage(slice, reader, options, signal);
      await this.inner.commit([load], { kind: 'nothing' }, undefined);
      return load;
    }),
  },
  'commits what is left when it is closed': {
    found: 'can be closed twice, also with work left undone',
    destination: class extends Good {
      #left: (() => Promise<unknown>) | undefined;
      override wrap(writer: TableWriter): TableWriter {
        const stage: TableWriter['stage'] = async (...args) => {
          const load = await writer.stage(...args);
          this.#left = () => writer.commit([load], { kind: 'nothing' }, undefined);
          return load;
        };
        return Object.assign(new Writer(writer), { stage });
      }
      override async close(): Promise<void> {
        await this.#left?.();
        this.#left = undefined;
      }
    },
  },
  'begins a version for every row that it gets': {
    found: 'ends the version of a row that changed, begins another, and leaves those that are the same',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const commit: TableWriter['commit'] = (loads, supersede, checkpoint) => {
          const stored = store.tables.get(spec.table);
          const rows = stored?.rows.map((row) => ({ ...row, to: row.to ?? spec.loadedAt }));
          if (stored && supersede.kind === 'versions')
            store.tables.set(spec.table, { ...stored, rows: rows! });
          return writer.commit(loads, supersede, checkpoint);
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'takes for gone what a load does not bring': {
    found: 'ends versions of what is gone when all was read, and begins others when it comes back',
    destination: committing(function (loads, supersede, checkpoint) {
      const all = supersede.kind === 'versions' ? { ...supersede, gone: true } : supersede;
      return this.inner.commit(loads, all, checkpoint);
    }),
  },
  'compares with versions that have ended': {
    found: 'changes no version when a load is done again, and tells which rows would',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const stage: TableWriter['stage'] = async (...args) => {
          const stored = store.tables.get(spec.table);
          if (!stored) return writer.stage(...args);
          const rows = stored.rows.map(({ cells, load }) => ({ cells, load }));
          store.tables.set(spec.table, { ...stored, rows });
          const staged = await writer.stage(...args);
          store.tables.set(spec.table, stored);
          return staged;
        };
        return Object.assign(new Writer(writer), { stage });
      }
    },
  },
  'begins a version with the last of rows that share a key': {
    found: 'refuses rows that share a key when they are to begin versions',
    destination: committing(function (loads, supersede, checkpoint) {
      if (supersede.kind === 'versions')
        for (const load of loads)
          load.parts = [...new Map(rowsOf(load).map((row) => [row.cells.get('id'), row])).values()];
      return this.inner.commit(loads, supersede, checkpoint);
    }),
  },
  'takes a value that is missing for another one': {
    found: 'takes a column that is new for NULL in versions that are there',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const commit: TableWriter['commit'] = (...args) => {
          for (const row of store.tables.get(spec.table)?.rows ?? [])
            for (const { name } of spec.schema.fields)
              if (!row.cells.has(name)) (row.cells as Map<string, Cell>).set(name, '');
          return writer.commit(...args);
        };
        return Object.assign(new Writer(writer), { commit });
      }
    },
  },
  'takes away what is gone before it is committed': {
    found: 'takes rows away by the hashes of their keys, at the commit',
    destination: class extends Good {
      override wrap(writer: TableWriter, spec: TableSpec): TableWriter {
        const { store } = this;
        const stage: TableWriter['stage'] = async (slice, reader, options, signal) => {
          const load = await writer.stage(slice, reader, options, signal);
          const stored = store.tables.get(spec.table);
          if (stored && options.supersede.kind === 'gone')
            store.tables.set(spec.table, { ...stored, rows: stored.rows.slice(1) });
          return load;
        };
        return Object.assign(new Writer(writer), { stage });
      }
    },
  },
  'takes flagged rows for present': {
    found: 'flags rows by the hashes of their keys, until they are loaded again',
    destination: committing(function (loads, supersede, checkpoint) {
      const none = supersede.kind === 'gone' && supersede.how === 'flag';
      return this.inner.commit(none ? [] : loads, supersede, checkpoint);
    }),
  },
  'takes NULLs in the key of a version for different': {
    found: 'takes NULLs in the key of versions for equal',
    destination: committing(function (loads, supersede, checkpoint) {
      const some = supersede.kind === 'versions' && supersede.key.length > 1;
      return this.inner.commit(loads, some ? { ...supersede, gone: false } : supersede, checkpoint);
    }),
  },
};

function suiteOf(Broken: Class): Parameters<typeof runCheck>[1] {
  return {
    open: async () => {
      const store = new MemoryStore();
      return {
        destination: async () => new Broken(store),
        read: async (table) => store.read(table),
        versions: async (table) => store.versions(table),
        close: async () => {},
      };
    },
  };
}

describe('the checks of a destination', () => {
  it.each(Object.entries(DEFECTS))('notice one that %s', async (_, { destination, found }) => {
    const check = DESTINATION_CHECKS.find(({ name }) => name === found);
    await expect(runCheck(check!, suiteOf(destination))).rejects.toThrow(/./);
  });

  it('have a defect each', () => {
    expect(new Set(Object.values(DEFECTS).map(({ found }) => found))).toEqual(
      new Set(DESTINATION_CHECKS.map(({ name }) => name)),
    );
  });

  it('want skips that name a check', () => {
    const skips = [{ check: 'does something', reason: 'whatever' }];
    expect(() => testDestination({ ...suiteOf(Good), name: 'x', skips })).toThrow(
      'there is no check "does something"',
    );
  });
});
