import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lakeConnector } from '../../src/connectors/lake/index.ts';
import { lakeOptions } from '../../src/connectors/lake/options.ts';
import type { Destination } from '../../src/core/destination.ts';
import { testDestination } from '../../src/testing/destination-conformance.ts';
import { VERSION_CHECKS } from '../../src/testing/destination-checks-versions.ts';
import { LakeReader } from '../support/lake-reader.ts';

testDestination({
  name: 'lake in a local folder',
  skips: VERSION_CHECKS.map(({ name }) => ({ check: name, reason: 'a lake keeps no versions' })),
  open: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-lake-'));
    const reader = new LakeReader(path.join(folder, 'lake'));
    const opened: Destination[] = [];
    return {
      destination: async () => {
        const context = { name: 'lake', directory: folder, memoryBytes: 256 << 20, workers: 2 };
        const destination = await lakeConnector.openDestination!(
          lakeOptions.parse({ path: './lake' }),
          context,
        );
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
});
