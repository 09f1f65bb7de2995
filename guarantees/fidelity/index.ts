import type { Attack } from '../attack.ts';
import { randomTables } from './random-tables.ts';

export const FIDELITY_ATTACKS: readonly Attack[] = [randomTables];
