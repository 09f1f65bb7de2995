import type { BigIntStats } from 'node:fs';

/** What a file is, and was when it was written last: nobody changes its bytes without the time of its last change becoming another. */
export function fileStamp({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}
