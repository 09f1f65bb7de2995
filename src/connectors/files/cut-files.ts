/** How the files that are to be loaded are cut into slices. Pure. */
import type { FileMark, FilePart } from '../../core/ledger.ts';
import type { SliceRange, StreamConfig } from '../../core/stream.ts';
import type { FoundFile, SortedFiles } from './found-files.ts';
import type { FileLayout } from './survey.ts';

const MOST_FILES = 1000;

interface Cutting {
  files: FoundFile[];
  layouts: ReadonlyMap<string, FileLayout>;
  sorted: SortedFiles;
  ledger: Readonly<Record<string, FileMark>> | undefined;
  bytes: number;
  /** The engine of the destination reads plain text by itself. */
  direct: boolean;
}

/** Packed text is about four times as long. */
const UNPACKED = 4;
/** What an engine reads by itself takes an eighth of the time, so that as much of it is lost when a run dies. */
const READ_DIRECTLY = 1 / 8;

export function partsOf(
  stream: StreamConfig,
  { files, layouts, sorted, ledger, bytes, direct }: Cutting,
): SliceRange[] {
  // Where rows of a later file take the place of those of an earlier one, the two are not in one load.
  const alone = stream.load === 'merge' || stream.load === 'scd2';
  const ranges: SliceRange[] = [];
  let pack: FilePart[] = [];
  let size = 0;
  const close = (): void => {
    if (pack.length > 0) ranges.push({ kind: 'files', files: pack });
    pack = [];
    size = 0;
  };
  for (const file of files) {
    const layout = layouts.get(file.key)!;
    const part: FilePart = {
      path: file.key,
      size: file.size,
      modifiedAt: file.modifiedAt,
      etag: file.etag,
      crc32: layout.crc32,
    };
    const again = sorted.changed.includes(file) && stream.load !== 'replace';
    const left = again ? undefined : ledger?.[file.key]?.left;
    if (again) {
      close();
      ranges.push({ kind: 'files', files: [part], again });
    } else if (left || layout.parts.length > 1) {
      close();
      for (const range of left ?? layout.parts) ranges.push({ kind: 'files', files: [{ ...part, range }] });
    } else {
      const light = direct && layout.documents[0]?.plain ? READ_DIRECTLY : 1;
      const weight = file.size * (layout.packed ? UNPACKED : light);
      if (alone || size + weight > bytes || pack.length >= MOST_FILES) close();
      pack.push(part);
      size += weight;
    }
  }
  close();
  return ranges;
}
