/** Puts back what tables are without: indexes when a table is loaded, foreign keys when all are. Nothing here fails a run. */
import type { Destination, MissingPart, RestoredPart } from '../core/destination.ts';
import { asSluiceError, CancelledError } from '../core/errors.ts';
import type { Listener } from '../core/events.ts';

interface RestoreJob {
  destination: Destination;
  /** Names of tables, and of the stream that is loaded; undefined: of several. */
  tables: readonly string[];
  stream: string | undefined;
  pipeline: string;
  kind: MissingPart['kind'];
  signal: AbortSignal;
  emit: Listener;
}

/** What was made. What was not is told, and stays written down in the destination for the next run. */
export async function restoreParts(job: RestoreJob): Promise<RestoredPart[]> {
  const { destination, tables, stream, pipeline, kind, signal, emit } = job;
  const remedy = `the next run tries again, and so does \`sluice repair ${pipeline}\``;
  const warn = (message: string): void =>
    emit({ kind: 'warning', stream, code: 'parts.missing', message, remedy });
  const started = performance.now();
  let parts: RestoredPart[] = [];
  try {
    parts = (await destination.parts?.restore(tables, kind, signal)) ?? [];
  } catch (error) {
    if (error instanceof CancelledError || signal.aborted) await warnStopped(job, warn);
    else warn(asSluiceError(error, 'putting indexes and foreign keys back').message);
    return [];
  }
  for (const part of parts)
    if (part.status === 'failed')
      warn(`${part.kind} "${part.name}" of ${part.table} is missing: ${part.reason ?? ''}`);
  const made = parts.filter(({ status }) => status === 'restored');
  if (made.length > 0) {
    const names = made.map(({ name }) => name);
    const seconds = (performance.now() - started) / 1000;
    emit({ kind: 'parts-restored', stream, part: kind, names, seconds });
  }
  return made;
}

/** Who stops a run does not want to wait for indexes. */
async function warnStopped(
  { destination, tables, kind }: RestoreJob,
  warn: (message: string) => void,
): Promise<void> {
  const parts = await destination.parts?.missing(new AbortController().signal).catch(() => []);
  const own = (parts ?? []).filter(
    (part) => part.kind === kind && part.tables.some((each) => tables.includes(each)),
  );
  const [first] = own;
  if (first)
    warn(`stopped with ${kind} ${own.map(({ name }) => `"${name}"`).join(', ')} of ${first.table} missing`);
}
