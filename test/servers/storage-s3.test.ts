import { join } from 'node:path';
import { openS3Storage } from '../../src/connectors/shared/s3/s3-storage.ts';
import type { ObjectStorage } from '../../src/core/storage.ts';
import { motoPresent, useMoto } from '../support/moto.ts';
import { testStorage } from '../support/storage-suite.ts';

const moto = useMoto();
let prefix = '';
let opened = 0;

function open(folder: string, root = (prefix = `lakes/${opened++}`)): Promise<ObjectStorage> {
  return openS3Storage({
    bucket: 'lake',
    prefix: root,
    endpoint: moto().endpoint,
    region: undefined,
    profile: undefined,
    forcePathStyle: true,
    cache: { folder: join(folder, 'cache'), bytes: 1 << 20 },
  });
}

if (motoPresent) {
  testStorage({
    name: 'S3',
    open,
    write: async (key, body) =>
      void (await fetch(`${moto().endpoint}/lake/${prefix}/${key}`, {
        method: 'PUT',
        body: Buffer.from(body),
      })),
  });
}
