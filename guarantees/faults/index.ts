import type { Attack } from '../attack.ts';
import { DESTINATION_FAULTS } from './destination.ts';
import { SOURCE_FAULTS } from './source.ts';

export const FAULTS_ATTACKS: readonly Attack[] = [...SOURCE_FAULTS, ...DESTINATION_FAULTS];
