/** What files of text hold: all of each new one is looked at, and says which columns and types there are. */
import type { FilesConfig } from '../../core/ledger.ts';
import { contractOf, columnsOf, headerNames, memberName, namesOf } from '../shared/look/contract.ts';
import { documentsOf, type FileDocument, formOf, textForm } from '../shared/look/documents.ts';
import type { FoundFile, FoundFiles } from './found-files.ts';
import type { Form } from '../shared/look/look.ts';
import { namedColumns, sampleNames } from './name-columns.ts';
import { type LookedDocument, sniffDocuments, type SniffResult } from '../shared/look/sniffer.ts';
import { formText, skippedNotes } from './survey-notes.ts';
import type { Facts, FileLayout, Looking, ReadDocument } from './survey.ts';

type Place = Parameters<typeof documentsOf>[1] & { partBytes: number };

export async function lookAtTexts(
  { stream, config, found, wanted, ledger }: Looking,
  place: Place,
): Promise<Facts> {
  const { documents, problems, others } = await documentsOf(wanted, place);
  // Without anything new, a file that is there shows how all are read.
  const shown = documents.length > 0 ? documents : await firstOf(found.files, place);
  const looked = await formOf(shown, place);
  const text = (document: FileDocument): ReturnType<typeof textForm> => textForm(document, config);
  const sniffed = await sniffDocuments(documents, { ...place, form: looked, text });
  sniffed.problems.unshift(...problems);
  const samples = sampled(sniffed, looked);
  const named = namedColumns(config, found, new Set(samples.keys()));
  const all = new Map([...samples, ...sampleNames(found, named)]);
  const form = withNames(looked, sniffed);
  return {
    form,
    columns: contractOf(ledger?.contract, all, stream.types),
    layouts: layoutsOf(wanted, sniffed, { config, found, named, form }),
    problems: sniffed.problems,
    notes: skippedNotes(others),
    sql: formText(config, form, sniffed),
  };
}

/** Texts of one that is there. */
async function firstOf(files: readonly FoundFile[], place: Place): Promise<FileDocument[]> {
  return files.length === 0 ? [] : (await documentsOf(files.slice(0, 1), place)).documents;
}

/** Objects are read by the names of all of them. */
function withNames({ dialect, header }: Form, { documents }: SniffResult): Form {
  if (dialect.format === 'csv') return { dialect, header };
  const groups = new Set(documents.map(({ group }) => group));
  const names = [...groups].flatMap((group) => (group?.header ?? []) as string[]);
  return { dialect: { ...dialect, names: [...new Set(names)] }, header };
}

function sampled({ documents }: SniffResult, { dialect }: Form): ReturnType<typeof columnsOf> {
  const groups = new Set(documents.map(({ group }) => group).filter((group) => group !== undefined));
  return columnsOf(
    [...groups].map((group) => ({ names: namesOf(group, dialect.format), columns: group.columns })),
  );
}

function layoutsOf(
  wanted: readonly FoundFile[],
  sniffed: SniffResult,
  {
    config,
    found,
    named,
    form,
  }: { config: FilesConfig; found: FoundFiles; named: readonly string[]; form: Form },
): Map<string, FileLayout> {
  const byKey = new Map(found.files.map((file) => [file.key, file]));
  const objects = form.dialect.format === 'json' ? form.dialect.names : undefined;
  const read = ({ document, group, encoding, records, plain }: LookedDocument): ReadDocument => {
    const { key } = document.file;
    const places = new Map<string, number | string | null>();
    const fields = objects?.length ?? group?.fields ?? 1;
    const names = objects ? objects.map(memberName) : headerNames(group?.header, group ? fields : 0);
    for (const [f, name] of names.entries()) places.set(name, f);
    for (const name of named) places.set(name, byKey.get(key)!.columns[name] ?? null);
    if (config.fileColumn !== false) places.set(config.fileColumn, key);
    return {
      name: document.name,
      text: { ...textForm(document, config), encoding },
      fields,
      places,
      plain: plain && { ...plain, records },
    };
  };
  const layouts = new Map<string, FileLayout>();
  const broken = new Set(sniffed.problems.map(({ file }) => file.key));
  const byFile = Map.groupBy(sniffed.documents, ({ document }) => document.file.key);
  for (const { key } of wanted) {
    if (broken.has(key)) continue;
    const looked = byFile.get(key) ?? [];
    const [first] = looked;
    layouts.set(key, {
      documents: looked.map(read),
      packed: first === undefined || first.document.packing !== 'none' || first.document.entry !== undefined,
      records: looked.reduce((sum, { records, broken: bad }) => sum + records + bad, 0),
      crc32: first?.crc32,
      parts: (config.skip ?? 0) > 0 ? [] : (first?.parts ?? []),
    });
  }
  return layouts;
}
