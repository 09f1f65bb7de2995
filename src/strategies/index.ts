import type { LoadStrategy } from '../core/stream.ts';
import { append } from './append.ts';
import { deleteInsert } from './delete-insert.ts';
import { merge } from './merge.ts';
import { replace } from './replace.ts';
import { scd2 } from './scd2.ts';
import type { Strategy } from './strategy.ts';

export const STRATEGIES: Readonly<Record<LoadStrategy, Strategy>> = {
  append,
  merge,
  replace,
  'delete-insert': deleteInsert,
  scd2,
};
