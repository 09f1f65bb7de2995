import type { Attack } from '../attack.ts';
import type { SqlPair } from '../pair.ts';
import { BOUNDARIES } from './boundaries.ts';
import { DOCUMENTS } from './documents.ts';
import { ENCODINGS } from './encodings.ts';
import { FOLDER_NAMES } from './folder-names.ts';
import { COLUMNS, HUGE_VALUES, NULLS, WIDENING } from './large.ts';
import { NAMES_ATTACK } from './names.ts';
import { PARTITIONS } from './partitions.ts';
import { SESSION_SETTINGS } from './session-settings.ts';
import { SHAPES } from './shapes.ts';
import { TARGET_ATTACKS } from './target.ts';

export const HOSTILE_ATTACKS: readonly Attack<SqlPair>[] = [
  SHAPES,
  BOUNDARIES,
  DOCUMENTS,
  ENCODINGS,
  HUGE_VALUES,
  WIDENING,
  COLUMNS,
  NULLS,
  NAMES_ATTACK,
  FOLDER_NAMES,
  PARTITIONS,
  SESSION_SETTINGS,
  ...TARGET_ATTACKS,
];
