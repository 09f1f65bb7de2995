import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { testStorage } from '../support/storage-suite.ts';

let root = '';

testStorage({
  name: 'a local folder',
  open: async (folder) => openLocalStorage((root = join(folder, 'lake'))),
  write: async (key, bytes) => {
    mkdirSync(dirname(join(root, key)), { recursive: true });
    writeFileSync(join(root, key), bytes);
  },
});
