import { expect, test } from 'vitest';
import { DEAD, Life } from './life.ts';

const OPTIONS = { seed: 3, entity: 'things', rows: 1000, inserts: 20, updates: 50, deletes: 10 };

function versionsOn(life: Life, day: number): number[] {
  const versions = life.versions(day);
  return Array.from({ length: life.population(day) }, (_, index) => versions.of(index));
}

test('a day is the same whichever days were asked for before', () => {
  const forwards = new Life(OPTIONS);
  const days = [0, 1, 2, 3, 4, 5].map((day) => versionsOn(forwards, day));
  const jumping = new Life(OPTIONS);
  for (const day of [5, 2, 4, 0, 5, 1, 3]) expect(versionsOn(jumping, day)).toEqual(days[day]);
});

test('versions that were asked for stay as they are when another day is asked for', () => {
  const life = new Life(OPTIONS);
  const before = life.versions(1);
  const expected = versionsOn(new Life(OPTIONS), 1);
  life.versions(9);
  expect(Array.from({ length: 1020 }, (_, index) => before.of(index))).toEqual(expected);
});

test('each day makes, changes and takes away as many records as it should, and none of them twice', () => {
  const life = new Life(OPTIONS);
  let versions = versionsOn(life, 0);
  expect(versions.every((version) => version === 0)).toBe(true);
  for (let day = 1; day <= 20; day++) {
    const { inserted, updated, deleted } = life.changes(day);
    expect([inserted.to - inserted.from, updated.length, deleted.length]).toEqual([20, 50, 10]);
    expect(new Set([...updated, ...deleted]).size).toBe(60);
    for (const index of [...updated, ...deleted]) expect(versions[index]).not.toBe(DEAD);
    const now = versionsOn(life, day);
    expect(now.filter((version, index) => version !== versions[index])).toHaveLength(80);
    versions = now;
  }
  expect(life.deleted(20)).toHaveLength(200);
});

test('no day changes more than half of what there is', () => {
  const life = new Life({ ...OPTIONS, rows: 100, inserts: 0, updates: 1000, deletes: 30 });
  const days = [1, 2, 3, 4, 5].map((day) => life.changes(day));
  expect(days.map(({ deleted }) => deleted.length)).toEqual([30, 30, 20, 10, 5]);
  expect(days.map(({ updated }) => updated.length)).toEqual([20, 5, 0, 0, 0]);
});

test('newer records change more often', () => {
  const { updated } = new Life({ ...OPTIONS, rows: 100_000, updates: 5000, deletes: 0 }).changes(1);
  const newer = updated.filter((index) => index >= 50_000).length;
  expect(newer / updated.length).toBeGreaterThan(0.55);
});
