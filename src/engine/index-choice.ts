/** Whether a load is faster with the indexes of its table made again after it. Pure. */

export interface IndexChoice {
  /** Rows that are likely to come; undefined: nobody knows. */
  incoming: number | undefined;
  /** Rows of the table. */
  present: number;
  /** Indexes that it can be without. */
  spare: number;
}

/** Below that the time that making them takes is not worth the while without them. */
const LEAST_ROWS = 200_000;
/**
 * A row that goes into the indexes one by one costs at least as much as this many when they are made anew: measured were about five in
 * PostgreSQL and more than three in InnoDB, and more where the indexes do not fit memory.
 */
const WORTH = 3;

/** Making indexes goes through all rows of the table, also those that were there. */
export function indexesOff({ incoming, present, spare }: IndexChoice): boolean {
  if (spare === 0 || present === 0 || incoming === undefined || incoming < LEAST_ROWS) return false;
  return incoming * WORTH >= present + incoming;
}
