import type { StateStore } from '../core/state.ts';

const RUNS_SEARCHED = 50;

/** When the newest of the last runs began that found or made the table; undefined when none did, or the history cannot tell. */
export async function lastLoad(
  state: StateStore,
  pipeline: string,
  table: string,
): Promise<string | undefined> {
  try {
    const runs = await state.runs({ pipeline, limit: RUNS_SEARCHED });
    const whole = new Set(['loaded', 'nothing-new']);
    return runs.find((run) =>
      run.streams.some((stream) => stream.table === table && whole.has(stream.status)),
    )?.startedAt;
  } catch {
    // Only a warning depends on it.
    return undefined;
  }
}
