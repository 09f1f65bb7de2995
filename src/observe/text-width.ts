import { stripVTControlCharacters } from 'node:util';

/** How many cells of a terminal a text takes. Right for ASCII, CJK, combining marks and most emoji; no more than that. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of SEGMENTER.segment(stripVTControlCharacters(text)))
    width += graphemeWidth(segment);
  return width;
}

/** `text` in at most `width` cells, the last of them `…` when something was cut. Colour codes are kept whole. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return '';
  let cut = '';
  let used = 0;
  let styled = false;
  for (const part of text.split(ESCAPES)) {
    if (part.startsWith('\u001b')) {
      // Codes after the cut still close what was opened before it.
      cut += part;
      styled = true;
      continue;
    }
    if (used >= width - 1) continue;
    for (const { segment } of SEGMENTER.segment(part)) {
      const cells = graphemeWidth(segment);
      if (used + cells > width - 1) {
        used = width;
        break;
      }
      cut += segment;
      used += cells;
    }
  }
  return styled ? cut.replace(TRAILING_ESCAPES, '…$1') : `${cut}…`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - textWidth(text))) + text;
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'grapheme' });
// eslint-disable-next-line no-control-regex -- terminal colour codes begin with ESC
const ESCAPES = /(\u001b\[[0-9;]*m)/;
// eslint-disable-next-line no-control-regex -- as above
const TRAILING_ESCAPES = /((?:\u001b\[[0-9;]*m)*)$/;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const EMPTY = /^[\p{Mark}\p{Control}\p{Format}]*$/u;

function graphemeWidth(grapheme: string): number {
  if (EMPTY.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}
