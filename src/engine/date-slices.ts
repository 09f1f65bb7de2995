/** Slices of a stream that is loaded by date: days, or the days of a week, month or year, and rows without a date. Pure. */
import type { Survey } from '../core/source.ts';
import type { DatePart, Slice } from '../core/stream.ts';

type Days = NonNullable<Survey['days']>;

/** Value of `layout` in a checkpoint whose unfinished load is one by dates. */
export const BY_DATES = 'dates';

export interface DateSlices {
  slices: Slice[];
  /** The slice of each day, in the order of the days. */
  sliceOf: string[];
}

/** One slice for all days of one period that follow each other; `open` lets the first one begin before its day. */
export function dateSlices(days: Days, column: string, by: DatePart, open: boolean): DateSlices {
  const result: DateSlices = { slices: [], sliceOf: [] };
  for (let first = 0; first < days.length;) {
    let last = first;
    while (last + 1 < days.length && periodOf(days[last + 1]!.day, by) === periodOf(days[first]!.day, by))
      last++;
    const { day: from } = days[first]!;
    const { day: to } = days[last]!;
    const id = first === last ? `day-${from}` : `days-${from}-${to}`;
    const lower = open && first === 0 ? {} : { from: days[first]!.from };
    result.slices.push({
      id,
      range: { kind: 'column', column, ...lower, to: days[last]!.to },
      overlap: false,
    });
    for (let i = first; i <= last; i++) result.sliceOf.push(id);
    first = last + 1;
  }
  return result;
}

/** Rows that belong to no day. Nobody knows when the last one was written, so that no load of them is the last. */
export function withoutDate(column: string): Slice {
  return { id: 'no-date', range: { kind: 'missing', column }, overlap: false };
}

/** Days of one period give the same text. */
function periodOf(day: string, by: DatePart): string {
  switch (by) {
    case 'day':
      return day;
    case 'week':
      return mondayOf(day);
    case 'month':
      return day.slice(0, -3);
    case 'year':
      return day.slice(0, -6);
  }
}

function mondayOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  return new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * 86_400_000).toISOString().slice(0, 10);
}
