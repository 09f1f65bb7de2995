/** Named steps of a run, in the order in which it comes by, for lakes and for databases. */
import type { AnyPair } from '../pair.ts';

/** What a reader sees after a kill: the table before, the whole load, or either with nothing in between. */
export type Seen = 'before' | 'after' | 'whole';
export type Moments = readonly (readonly [moment: string, seen: Seen])[];

/** What differs between destinations that commit by a file and those that commit by a transaction. */
export interface Both<T> {
  lake: T;
  sql: T;
}

export function of<T>(pair: AnyPair, both: Both<T>): T {
  return pair.to.type === 'lake' ? both.lake : both.sql;
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

export const BEFORE_COMMIT: Both<Moments> = {
  lake: [
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
      // The first one is that of the staging folder's owner.
      'before:link:2',
    ),
  ],
  sql: [
    ...TO_READING,
    ...before(
      'after:alive:1',
      'during:note:1',
      'after:note:1',
      'after:begin:1',
      'before:sent:1',
      'after:sent:3',
      'before:finish:1',
      'during:finish:1',
      'after:finish:1',
      'event:step/staged:1',
      'event:step/publish:1',
      'during:lock-record:1',
      'after:lock-record:1',
      'during:record-rows:1',
      'after:record-rows:1',
      'before:commit:1',
    ),
  ],
};

const AFTER_COMMIT: Both<Moments> = {
  lake: [...after('after:link:2'), ...AFTERWARDS, ...after('before:delete:1')],
  // Sent, and not answered: the server has done it.
  sql: [...after('during:commit:1'), ...AFTERWARDS],
};

/** All of a load with one commit, and what is special about a way of loading. */
export function all(special: Partial<Both<Moments>> = {}): Both<Moments> {
  const record = before('before:record:1');
  return {
    lake: [...record, ...BEFORE_COMMIT.lake, ...AFTER_COMMIT.lake, ...(special.lake ?? [])],
    sql: [...record, ...BEFORE_COMMIT.sql, ...AFTER_COMMIT.sql, ...(special.sql ?? [])],
  };
}
