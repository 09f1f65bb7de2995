/** What Parquet files of a stream hold. Their own schemas say which types there are; no value is asked for one. */
import { ConfigError } from '../../core/errors.ts';
import type { FilesConfig } from '../../core/ledger.ts';
import { schemaFromJson } from '../../core/schema.ts';
import type { SurveyNote } from '../../core/source.ts';
import { contractOf, type FileColumn, forcedType } from '../shared/look/contract.ts';
import { NO_TEXT } from '../shared/look/look.ts';
import { namedColumns, sampleNames } from './name-columns.ts';
import { lookAtParquet, type ParquetFile, type ParquetPlace } from './parquet-files.ts';
import type { Facts, FileLayout, Looking } from './survey.ts';

/** Options that say how text is written. */
const OF_TEXT = [
  'encoding',
  'header',
  'delimiter',
  'quote',
  'escape',
  'nulls',
  'flatten',
  'skip',
  'decimal',
  'thousands',
  'date',
] as const;

export async function lookAtTables(
  { stream, config, found, wanted, ledger }: Looking,
  place: ParquetPlace,
): Promise<Facts> {
  const idle = OF_TEXT.filter((option) => config[option] !== undefined);
  if (idle.length > 0)
    throw new ConfigError(
      `looking at ${stream.name}: ${idle.map((option) => `\`${option === 'nulls' ? 'null' : option}\``).join(', ')} mean nothing for Parquet files`,
      { code: 'stream.invalid', remedy: 'leave them out; they say how text is written' },
    );
  const fields = ledger ? schemaFromJson(ledger.contract).fields : [];
  const known = new Map(
    fields.map(({ name, type }) => [
      name,
      Object.hasOwn(stream.types, name) ? forcedType(stream.types[name]!) : type,
    ]),
  );
  // The key may be of columns from the names, which always have a value.
  const key = (stream.key ?? []).filter(
    (name) => !found.columns.includes(name) && name !== config.fileColumn,
  );
  const { include, exclude } = stream.columns ?? {};
  const reads = (name: string): boolean =>
    include ? include.includes(name) : exclude?.includes(name) !== true;
  const contract = { known, pinned: stream.types, reads, key };
  const { files, types, problems } = await lookAtParquet(wanted, contract, place);
  const inFiles = new Set(files.flatMap(({ columns }) => columns.map(({ name }) => name)));
  const named = namedColumns(config, found, inFiles);
  const samples = sampleNames(found, named);
  const fromNames = new Map(
    contractOf(ledger?.contract, samples, stream.types).map((each) => [each.name, each]),
  );
  const columns = [...new Set([...types.keys(), ...named])].map((name): FileColumn =>
    named.includes(name) ? fromNames.get(name)! : { name, type: types.get(name)!, sample: undefined },
  );
  const layouts = new Map(files.map((each) => [each.file.key, layoutOf(each, named, config)]));
  const shown = [config.path, 'parquet'].join(', ');
  return { form: NO_TEXT, columns, layouts, problems, notes: notesOf(files), sql: shown };
}

function layoutOf(parquet: ParquetFile, named: readonly string[], { fileColumn }: FilesConfig): FileLayout {
  const { file, rows, crc32, parts } = parquet;
  const constants = new Map(named.map((name) => [name, file.columns[name] ?? null]));
  if (fileColumn !== false) constants.set(fileColumn, file.key);
  return { documents: [], parquet: { ...parquet, constants }, packed: true, records: rows, crc32, parts };
}

function notesOf(files: readonly ParquetFile[]): SurveyNote[] {
  const cut = new Set(
    files.flatMap(({ columns }) => columns.filter((column) => column.cut).map(({ name }) => name)),
  );
  if (cut.size === 0) return [];
  return [
    {
      code: 'files.nanoseconds',
      message: `"${[...cut].join('", "')}": times in nanoseconds, of which what is finer than a microsecond is cut off`,
      remedy: 'write them in microseconds, or without a zone, where all digits are looked at',
    },
  ];
}
