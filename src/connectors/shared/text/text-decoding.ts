import { BATCH_BYTES } from '../../../core/memory.ts';
import type { DecoderSpec, SliceToRead } from '../../../core/source.ts';
import type { TextDecoderOptions } from './text-decoder.ts';

const BATCH_ROWS = 2048;

interface TextDecoding extends Pick<TextDecoderOptions, 'documents' | 'cursor' | 'guess'> {
  /** Undefined: the first record that does not fit is an error. */
  aside: SliceToRead['aside'];
  /** Text that closes a batch; undefined: as usual. */
  batchBytes: number | undefined;
}

/** How documents of text become batches, in the thread of whoever takes them. */
export function textDecoding({ aside, batchBytes, ...reading }: TextDecoding): DecoderSpec {
  const file = `./text-decoder${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
  const options: TextDecoderOptions = {
    ...reading,
    maxRows: BATCH_ROWS,
    maxBytes: batchBytes ?? BATCH_BYTES.usual,
    badRecords: aside?.file,
    limits: aside?.limits,
    refused: aside?.refused,
  };
  return { module: new URL(file, import.meta.url).href, name: 'createTextDecoder', options };
}
