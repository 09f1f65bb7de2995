/** Named steps of a run, in the order in which it comes by, for lakes and for databases. */
import type { SqlPair } from '../pair.ts';

/** What a reader sees after a kill: the table before, the whole load, or either with nothing in between. */
export type Seen = 'before' | 'after' | 'whole';
export type Moments = readonly (readonly [moment: string, seen: Seen])[];

/** What differs between destinations that commit by a file and those that commit by a transaction. */
export interface Both<T> {
  lake: T;
  /** Where it differs from `lake`: an object of a bucket gets its name by the server. */
  bucket?: T;
  sql: T;
  /** Where it differs from `sql`: statements that change tables end transactions there. */
  mysql?: T;
}

export function of<T>(pair: SqlPair, { lake, bucket = lake, sql, mysql = sql }: Both<T>): T {
  return { lake, bucket, postgres: sql, mysql }[pair.to.readBy.type];
}

export function before(...moments: string[]): Moments {
  return moments.map((moment) => [moment, 'before']);
}

export function after(...moments: string[]): Moments {
  return moments.map((moment) => [moment, 'after']);
}

export function whole(...moments: string[]): Moments {
  return moments.map((moment) => [moment, 'whole']);
}

const TO_READING = before(
  'before:acquire:1',
  'after:acquire:1',
  'event:step/lease:1',
  'event:step/snapshot:1',
  'event:stream-planned:1',
  'event:slice-started:1',
);

const AFTERWARDS = after(
  'after:commit:1',
  'event:step/published:1',
  'event:slice-committed:1',
  'event:stream-finished:1',
  'before:release:1',
  'after:release:1',
  'before:record:2',
  'after:record:2',
  'event:run-finished:1',
);

/** `sent`: the last but one piece of the rows has gone to the server, or the last one. */
function loading(sent: string): Moments {
  return [
    ...TO_READING,
    ...before(
      'after:alive:1',
      'during:note:1',
      'after:note:1',
      'after:begin:1',
      'before:sent:1',
      sent,
      'before:finish:1',
      'during:finish:1',
      'after:finish:1',
      'event:step/staged:1',
      'event:step/publish:1',
      'during:lock-record:1',
      'after:lock-record:1',
    ),
  ];
}

const RECORDING = before('during:record-rows:1', 'after:record-rows:1', 'before:commit:1');

const BEFORE_RECORD: Moments = [
  ...TO_READING,
  ...before(
    'before:block:1',
    'after:block:2',
    'before:end:1',
    'event:step/staged:1',
    'event:step/publish:1',
    'before:upload:1',
    'after:upload:1',
    'before:commit:1',
  ),
];

export const BEFORE_COMMIT: Required<Both<Moments>> = {
  // The first one is that of the staging folder's owner.
  lake: [...BEFORE_RECORD, ...before('before:link:2')],
  bucket: [...BEFORE_RECORD, ...before('during:upload:1')],
  sql: [...loading('after:sent:3'), ...RECORDING],
  mysql: [...loading('after:sent:1'), ...RECORDING],
};

const AFTER_COMMIT: Both<Moments> & Record<'bucket', Moments> = {
  lake: [...after('after:link:2'), ...AFTERWARDS, ...after('before:delete:1')],
  // Asked for, and perhaps done.
  bucket: [...whole('during:commit:1'), ...AFTERWARDS, ...after('before:delete:1')],
  // Sent, and not answered: the server has done it.
  sql: [...after('during:commit:1'), ...AFTERWARDS],
};

/** All of a load with one commit, and what is special about a way of loading. */
export function all({
  lake = [],
  bucket = lake,
  sql = [],
  mysql = sql,
}: Partial<Both<Moments>> = {}): Required<Both<Moments>> {
  const record = before('before:record:1');
  return {
    lake: [...record, ...BEFORE_COMMIT.lake, ...AFTER_COMMIT.lake, ...lake],
    bucket: [...record, ...BEFORE_COMMIT.bucket, ...AFTER_COMMIT.bucket, ...bucket],
    sql: [...record, ...BEFORE_COMMIT.sql, ...AFTER_COMMIT.sql, ...sql],
    mysql: [...record, ...BEFORE_COMMIT.mysql, ...AFTER_COMMIT.sql, ...mysql],
  };
}

/** A hidden table takes the name of the user's before the record can say so; from then on it counts. */
export const SWAP_APART: Moments = [
  ...before('before:record:1'),
  ...loading('after:sent:1'),
  ...before(
    'during:hidden:1',
    'after:hidden:1',
    'during:commit-aside:1',
    'after:commit-aside:1',
    'after:commit-aside:2',
    'during:pending:1',
    'after:pending:1',
    'during:commit-aside:3',
    'after:commit-aside:3',
    'during:lock-record:2',
    'after:lock-record:2',
    'before:rename-table:1',
  ),
  ...after(
    'during:rename-table:1',
    'after:rename-table:1',
    'during:record-rows:1',
    'after:record-rows:1',
    'during:pending:2',
    'after:pending:2',
    'before:commit:1',
    ...AFTER_COMMIT.sql.map(([moment]) => moment),
    'before:drop-hidden:1',
    'during:drop-hidden:1',
    'after:drop-hidden:1',
  ),
];
