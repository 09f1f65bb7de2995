import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError, throwIfAborted } from '../../core/errors.ts';
import { addDays } from '../../core/units.ts';
import { storageError } from '../../connectors/shared/storage-error.ts';
import { type Dataset, type EntityData, fieldNames } from '../dataset.ts';
import { assertFaults, type FaultForm, type FaultKind, type FaultOptions } from '../faults.ts';
import { assertNames, type FileForm, filePath } from './file-form.ts';
import { writeParquetFile } from './parquet-file.ts';
import { sectionsOf } from '../sections.ts';
import { type FileFault, type OnRecords, writeTextFile } from './text-file.ts';

export interface GenerateFilesOptions {
  readonly form: FileForm;
  /** Which records; all of the model when absent. */
  readonly tables?: readonly string[] | undefined;
  /** Days, from the first on, each with a file of its own: 1 when absent. */
  readonly days?: number | undefined;
  /** The first that gets a file, counted from 0; the first of all when absent. */
  readonly fromDay?: number | undefined;
  /** All records of a day, which is usual, or what it changed. */
  readonly content?: 'all' | 'changes' | undefined;
  readonly changeColumn?: string | undefined;
  readonly faults?: FaultOptions | undefined;
  /** A file with a line of JSON for each record that was broken. */
  readonly manifest?: string | undefined;
  /** Files that are there are written over. */
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: FileProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FileProgress {
  readonly table: string;
  readonly path: string;
  readonly records: number;
  readonly total: number;
}

export interface GeneratedFile {
  readonly table: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
  /** How many records were broken, by kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

interface Planned {
  entity: EntityData;
  day: number;
  path: string;
}

/** Makes the files of tables and days. A file has its name when it is whole. */
export async function generateFiles(data: Dataset, options: GenerateFilesOptions): Promise<GeneratedFile[]> {
  const { form, tables = [], days = 1, fromDay = 0, force = false, signal } = options;
  const entities = tables.length > 0 ? tables.map((name) => data.entity(name)) : data.entities;
  assertNames(form, entities.length, days);
  if (options.faults) assertFaults(options.faults, faultForm(form), fieldNames(entities, fromDay + days - 1));
  const planned: Planned[] = [];
  for (let day = fromDay; day < fromDay + days; day++)
    for (const entity of entities)
      planned.push({ entity, day, path: filePath(form, entity.name, { from: data.options.from, day }) });
  if (!force)
    await assertNone([...planned.map(({ path }) => path), ...(options.manifest ? [options.manifest] : [])]);
  const manifest = await openManifest(options.manifest);
  const made: GeneratedFile[] = [];
  try {
    for (const file of planned) {
      if (signal) throwIfAborted(signal);
      made.push(await makeFile(data, file, { options, manifest }));
    }
  } finally {
    manifest?.end();
    if (manifest) await once(manifest, 'close');
  }
  return made;
}

async function makeFile(
  data: Dataset,
  { entity, day, path }: Planned,
  { options, manifest }: { options: GenerateFilesOptions; manifest: WriteStream | undefined },
): Promise<GeneratedFile> {
  const { form, faults, content = 'all', changeColumn, onProgress, signal } = options;
  const { format, packing } = form;
  const sections = sectionsOf(entity, day, {
    seed: data.options.seed,
    form: faultForm(form),
    faults,
    content,
    changeColumn,
  });
  const total = sections.reduce((sum, { selection }) => sum + selection.count, 0);
  const found: Partial<Record<FaultKind, number>> = {};
  const onRecords: OnRecords = (count, broken, position) => {
    if (signal) throwIfAborted(signal);
    for (const fault of broken) {
      found[fault.kind] = (found[fault.kind] ?? 0) + 1;
      manifest?.write(manifestLine(fault, { table: entity.name, path, position, sections }));
    }
    onProgress?.({ table: entity.name, path, records: position + count, total });
  };
  const part = join(dirname(path), `.${basename(path)}.part`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const bytes =
      format === 'parquet'
        ? await writeParquetFile(part, sections, onRecords)
        : await writeTextFile(part, sections, { format, packing, onRecords });
    await rename(part, path);
    return {
      table: entity.name,
      date: addDays(data.options.from, day),
      path,
      records: total,
      bytes,
      faults: found,
    };
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw storageError(error, `writing "${path}"`);
  }
}

/** What can be wrong with the records of a file. */
function faultForm({ format }: FileForm): FaultForm {
  return format === 'parquet' ? 'rows' : format;
}

function manifestLine(
  { kind, field, row, index, line }: FileFault,
  {
    table,
    path,
    position,
    sections,
  }: { table: string; path: string; position: number; sections: ReturnType<typeof sectionsOf> },
): string {
  const name = field < 0 ? null : sections[0]!.reader.schema.fields[field]!.name;
  // A record that is there twice has the key of the one before it.
  const key = kind === 'duplicate' ? index : index + 1;
  return `${JSON.stringify({ table, file: basename(path), record: position + row + 1, line, key, kind, field: name })}\n`;
}

async function openManifest(path: string | undefined): Promise<WriteStream | undefined> {
  if (path === undefined) return undefined;
  const stream = createWriteStream(path);
  await once(stream, 'open').catch((error: unknown) => {
    throw storageError(error, `writing "${path}"`);
  });
  return stream;
}

/** Nothing is written when one of the files is there. */
async function assertNone(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there)
      throw new ConfigError(`making files: "${path}" is there already`, {
        code: 'generate.exists',
        remedy: 'choose another folder, or --force to write over it',
      });
  }
}
