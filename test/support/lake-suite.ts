/** A lake for the conformance kit of destinations, wherever its files are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lakeConnector } from '../../src/connectors/lake/index.ts';
import { lakeOptions, type LakeOptionsInput } from '../../src/connectors/lake/options.ts';
import type { Destination } from '../../src/core/destination.ts';
import { VERSION_CHECKS } from '../../src/testing/destination-checks-versions.ts';
import type { DestinationSuite } from '../../src/testing/destination-suite.ts';
import { LakeReader } from './lake-reader.ts';

/** `options` are asked for by each check: they name a lake that is empty. */
export function lakeSuite(name: string, options: () => LakeOptionsInput): DestinationSuite {
  return {
    name,
    skips: VERSION_CHECKS.map((check) => ({ check: check.name, reason: 'a lake keeps no versions' })),
    open: async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'sluice-lake-'));
      const parsed = lakeOptions.parse(options());
      const context = { name: 'lake', directory: folder, memoryBytes: 256 << 20, workers: 2 };
      const reader = new LakeReader(() => lakeConnector.openStorage!(parsed, context), folder);
      const opened: Destination[] = [];
      return {
        destination: async () => {
          const destination = await lakeConnector.openDestination!(parsed, context);
          opened.push(destination);
          return destination;
        },
        read: (table) => reader.read(table),
        close: async () => {
          await Promise.all(opened.map((destination) => destination.close()));
          await reader.close();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}
