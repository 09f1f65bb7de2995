import type { LoadedStream } from './verify-load.ts';

/** What one plan of a stream has come to. */
export interface Round {
  watermark: string | undefined;
  changes: string[];
  loaded?: LoadedStream;
  /** The table has nothing but what this run has loaded. */
  alone?: boolean;
  /** The source has more that can be planned now. */
  more?: boolean;
}

/** A source that finds what is new bit by bit is asked until there is no more; each time goes on from what is committed. */
export async function inRounds(load: (alone: boolean) => Promise<Round>): Promise<Round> {
  const changes: string[] = [];
  for (let alone = false; ;) {
    const round = await load(alone);
    changes.push(...round.changes);
    if (round.more !== true) return { ...round, changes };
    alone = round.alone === true;
  }
}
