/** What is looked at of many records, where the rest is held against it when it is read. */
import type { Shape } from './feed.ts';
import type { Fetching, Looked } from './records-survey.ts';
import { bytesOf, type SpooledDocument } from './spool.ts';

/** What is smaller is looked at as a whole. */
const SMALL_BYTES = 8_000_000;
const SAMPLE_BYTES = 3_000_000;
/** A document that is longer is cut, which takes a look at it. */
const CUT_BYTES = 32_000_000;

/** Documents that stand for all: the first ones and the last, for what changes changes in time. */
export function sampleOf(documents: readonly SpooledDocument[]): readonly SpooledDocument[] {
  if (bytesOf(documents) <= SMALL_BYTES || documents.some(({ bytes }) => bytes > CUT_BYTES)) return documents;
  const sample: SpooledDocument[] = [documents.at(-1)!];
  let bytes = sample[0]!.bytes;
  for (const document of documents) {
    if (bytes >= SAMPLE_BYTES || document === sample[0]) break;
    sample.push(document);
    bytes += document.bytes;
  }
  return sample;
}

/** Whether what was looked at before is as good a sample: nobody says what is new since. */
export function standsFor({ form, shape: known }: Looked, { documents, shape }: Fetching): boolean {
  const own = ({ key, config, types }: Shape): string => JSON.stringify([key, config, types]);
  return (
    form.dialect.format === 'json' &&
    own(known) === own(shape) &&
    bytesOf(documents) > SMALL_BYTES &&
    documents.every(({ bytes }) => bytes <= CUT_BYTES)
  );
}

export function asBefore(
  before: Looked,
  { superseded = new Map(), ...fetching }: Fetching,
  key: Looked['key'],
): Looked {
  // What is odd about them was told.
  const samples = [...before.samples].map(([name, sample]) => [name, { ...sample, odd: undefined }] as const);
  return {
    ...before,
    ...fetching,
    sniffed: { documents: [], problems: [] },
    superseded,
    key,
    unseen: new Set(fetching.documents.map(({ key: path }) => path)),
    samples: new Map(samples),
  };
}
