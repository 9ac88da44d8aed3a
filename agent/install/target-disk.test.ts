import { expect, test } from 'vitest';
import { findTargetDisk } from './target-disk.ts';

test('a disk that is not in this machine is named together with those that are', async () => {
  const disk = { name: 'none', serial: 'INGOT-NO-SUCH-DISK', idPath: null, size: 1 };
  expect(await findTargetDisk({ disk })).toMatchObject({
    code: 'install.no_disk',
    problem: expect.stringContaining('serial INGOT-NO-SUCH-DISK) is not in this machine'),
  });
});
