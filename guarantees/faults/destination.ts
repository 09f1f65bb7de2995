/** Faults of the destination: disks, folders, the state file, damaged files, clocks. */
import type { Attack } from '../attack.ts';
import { CLOCK_FAULTS } from './destination-clock.ts';
import { DAMAGE_FAULTS } from './destination-damage.ts';
import { DISK_FAULTS } from './destination-disk.ts';
import { FOLDER_FAULTS } from './destination-folder.ts';
import { STATE_FAULTS } from './destination-state.ts';

export const DESTINATION_FAULTS: readonly Attack[] = [
  ...DISK_FAULTS,
  ...FOLDER_FAULTS,
  ...STATE_FAULTS,
  ...DAMAGE_FAULTS,
  ...CLOCK_FAULTS,
];
