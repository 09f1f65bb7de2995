/** The thread that holds rows against the rules of their stream: it decodes, asks its DuckDB, and passes on what is left. */
import { parentPort, workerData } from 'node:worker_threads';
import { Batch, Column } from '../core/batch.ts';
import { encodeBatch, encodeFacts } from '../core/batch-wire.ts';
import { RingConsumer, RingProducer } from '../core/byte-ring.ts';
import type { Decoder, DecoderFactory, RefusedInBatch } from '../core/decoder.ts';
import { DataError, InternalError } from '../core/errors.ts';
import { errorToJson } from '../core/error-json.ts';
import { type Schema, schemaFromJson, schemaToJson } from '../core/schema.ts';
import type { DecodeFacts } from '../core/source.ts';
import { rowLimit } from '../connectors/shared/duckdb/row-limit.ts';
import { sourceFailed } from '../connectors/shared/feed-thread.ts';
import { TargetRows } from '../connectors/shared/text/target-rows.ts';
import { BatchQuery } from '../duckdb/batch-query.ts';
import { Session, type SessionOptions } from '../duckdb/session.ts';
import { VECTOR_ROWS } from '../duckdb/vectors.ts';
import { readRules } from './read-rules.ts';
import { asideWriter, type AsideWriter } from './refused-in-batch.ts';
import { placesOf, queryTypes, type ReadyRules, ruledFields, rulesQuery, verdictOf } from './rule-sql.ts';
import type { ApplyTask, RulesReply, RulesTask } from './rules-protocol.ts';

/** How often a row has to fit into the memory of its lane, see lane-limit.ts. */
const COPIES = { now: 7, later: 12 };
const PROGRESS_MS = 200;

const port = parentPort!;
const session = await Session.open(workerData as SessionOptions);
// What two expressions have in common would be computed before both, out of reach of the TRY around each.
await session.run(`SET disabled_optimizers = 'common_subexpressions'`, 'starting the engine of rules');
const reply = (message: RulesReply): void => port.postMessage(message);

port.on('message', (task: RulesTask & { id: number }) => {
  void run(task).catch((error: unknown) =>
    reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'applying rules to rows') }),
  );
});
reply({ kind: 'ready' });

async function run(task: RulesTask & { id: number }): Promise<void> {
  if (task.kind === 'apply') return apply(task);
  reply({ id: task.id, found: await readRules(session, schemaFromJson(task.schema), task.rules) });
}

async function apply(task: ApplyTask & { id: number }): Promise<void> {
  const input = new RingConsumer(task.input);
  const output = new RingProducer(task.output);
  try {
    const { name, aside } = task;
    const schema = schemaFromJson(task.schema);
    const factory = ((await import(task.decoder.module)) as Record<string, DecoderFactory>)[
      task.decoder.name
    ]!;
    const doing = `reading stream "${name}"`;
    const limit = rowLimit(doing, task.laneBytes, COPIES, { stream: name });
    const decoder = factory(input, schema, task.decoder.options, limit);
    const writer = asideWriter(decoder, { document: name, file: aside?.file });
    const gate = await gateOf(schema, task.rules, name);
    const target = new TargetRows(gate.schema, aside ?? { limits: [], refused: [] });
    const passed = await passOn(task.id, { decoder, writer, gate, target, output });
    writer.flush();
    if (input.end !== 'ended') throw sourceFailed();
    for (const piece of encodeFacts(gate.schema, factsOf(passed, { decoder, writer, target })))
      output.writeAll(piece);
    output.end();
    reply({ id: task.id });
  } catch (error) {
    input.abandon();
    output.end('failed');
    throw error;
  }
}

let last: { of: string; gate: Gate } | undefined;

/** Slices of a stream share one: DuckDB forgets no table function, and its statement is ready. */
async function gateOf(schema: Schema, rules: ReadyRules, stream: string): Promise<Gate> {
  const of = JSON.stringify([schemaToJson(schema), rules, stream]);
  if (last?.of !== of) last = { of, gate: await Gate.open(schema, rules, stream) };
  return last.gate;
}

interface Passing {
  decoder: Decoder;
  writer: AsideWriter;
  gate: Gate;
  target: TargetRows;
  output: RingProducer;
}

/** Resolves to how many rows that were. */
async function passOn(id: number, { decoder, writer, gate, target, output }: Passing): Promise<number> {
  let passed = 0;
  let reported = 0;
  for (let batch = decoder.next(); batch; batch = decoder.next()) {
    const { ruled, gone } = await gate.judge(batch, target);
    writer.put(batch, gone);
    ruled.drop(gate.marks);
    passed += ruled.rows;
    if (ruled.rows > 0)
      for (const piece of encodeBatch(ruled))
        // Whoever empties the ring knows why it stopped.
        if (!output.writeAll(piece)) return passed;
    const now = performance.now();
    if (now - reported < PROGRESS_MS) continue;
    reported = now;
    reply({ kind: 'progress', id, rows: passed, bytes: decoder.facts().bytes });
  }
  return passed;
}

function factsOf(
  rows: number,
  { decoder, writer, target }: Pick<Passing, 'decoder' | 'writer' | 'target'>,
): DecodeFacts {
  const facts = decoder.facts();
  const { quarantined = 0, superseded = 0 } = facts;
  return {
    ...facts,
    rows,
    quarantined: quarantined + writer.count,
    superseded: superseded + target.superseded,
  };
}

/** The rules of one stream. */
class Gate {
  readonly schema: Schema;
  /** Of the last batch: 0 for rows that pass. */
  readonly marks = new Int32Array(VECTOR_ROWS);
  readonly #rules: ReadyRules;
  readonly #query: BatchQuery;
  readonly #stream: string;
  readonly #places: ReturnType<typeof placesOf>;
  /** The verdicts, then the values of computed columns. */
  readonly #found: Column[];

  private constructor(stream: string, source: Schema, rules: ReadyRules, query: BatchQuery) {
    this.#stream = stream;
    this.schema = { ...source, fields: ruledFields(source.fields, rules.computed) };
    this.#rules = rules;
    this.#query = query;
    this.#places = placesOf(source.fields, rules.computed);
    this.#found = queryTypes(rules).map((type) => new Column(type, VECTOR_ROWS));
  }

  static async open(source: Schema, rules: ReadyRules, stream: string): Promise<Gate> {
    const sql = (table: string): string => rulesQuery(table, source, rules);
    const query = await BatchQuery.open(session, source, sql, `checking rows of ${stream}`);
    return new Gate(stream, source, rules, query);
  }

  /** The batch with the columns that it is to have, and the rows that do not pass. */
  async judge(batch: Batch, target: TargetRows): Promise<{ ruled: Batch; gone: readonly RefusedInBatch[] }> {
    await this.#query.run(batch, this.#found).catch((error: unknown) => {
      throw cannotCompute(error, this.#stream);
    });
    const { i16: verdicts } = this.#found[0]!;
    const columns = this.#places.map(({ computed, index }) =>
      computed ? this.#found[1 + index]! : batch.columns[index]!,
    );
    const ruled = new Batch(this.schema, batch.capacity, columns);
    ruled.rows = batch.rows;
    target.look(ruled);
    const gone: RefusedInBatch[] = [];
    for (let row = 0; row < batch.rows; row++) {
      const number = verdicts[row]!;
      const why = number === 0 ? target.of(row) : verdictOf(number, this.#rules);
      this.marks[row] = why === 'fits' ? 0 : 1;
      if (typeof why === 'object') gone.push({ row, ...why });
    }
    return { ruled, gone };
  }
}

/** What DuckDB says of a row may hold its values. */
function cannotCompute(error: unknown, stream: string): unknown {
  if (!(error instanceof InternalError) || error.code !== 'duckdb.failed') return error;
  return new DataError(`checking rows of ${stream}: an expression cannot be computed`, {
    code: 'rules.failed',
    remedy: 'leave expressions of `checks` and `compute` out one by one to find it, and please report it',
    details: { stream },
    cause: error,
  });
}
