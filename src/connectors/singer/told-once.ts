import type { SurveyNote } from '../../core/source.ts';

/** What is wrong with lines, told once for all that have it. */
export class ToldOnce {
  readonly #told = new Map<string, { note: SurveyNote; line: number; count: number }>();

  add(note: SurveyNote, line: number): void {
    const told = this.#told.get(note.message);
    if (told) told.count++;
    else this.#told.set(note.message, { note, line, count: 1 });
  }

  notes(): SurveyNote[] {
    return [...this.#told.values()].map(({ note, line, count }) => ({
      ...note,
      message: `${note.message}: ${count.toLocaleString('en')}, the first on line ${line.toLocaleString('en')}`,
    }));
  }
}
