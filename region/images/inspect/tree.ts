import { type ImageContent, systemName, treeListing } from '@ingot/core/plan/image-content.ts';
import { boundedTool } from '../upload/bounded-tool.ts';

const DEADLINE_MS = 20 * 60_000;
const OS_RELEASE = /^(?:\.\/|\/)?usr\/lib\/os-release$/;
const MOST_OS_RELEASE = 16 * 1024;

/** What an archive or squashfs of a root file system holds, by its list of files. Throws with the tool's words. */
export async function inspectTree(file: string, format: 'tgz' | 'tar.zst' | 'squashfs'): Promise<ImageContent> {
  const listing = treeListing();
  let osRelease: string | null = null;
  let entries = 0;
  const squashed = format === 'squashfs';
  const unpack = format === 'tgz' ? '--gzip' : '--zstd';
  const [program, args] = squashed ? ['unsquashfs', ['-lc', file]] : ['tar', [unpack, '-tf', file]];
  await boundedTool(program, args, { deadlineMs: DEADLINE_MS }, (line) => {
    const path = squashed ? line.replace(/^squashfs-root\//, '') : line;
    entries += 1;
    if (OS_RELEASE.test(path)) osRelease ??= path;
    listing.add(path);
  });
  if (entries === 0) throw new Error('it holds no files');
  return { shape: 'tree', ...listing.content(), system: await nameIn(file, squashed, unpack, osRelease), disk: null };
}

async function nameIn(file: string, squashed: boolean, unpack: string, path: string | null): Promise<string | null> {
  if (path === null) return null;
  let text = '';
  const take = (line: string) => {
    if (text.length < MOST_OS_RELEASE) text += `${line}\n`;
  };
  const limits = { deadlineMs: DEADLINE_MS };
  const [program, args] = squashed
    ? ['unsquashfs', ['-cat', file, path]]
    : ['tar', [unpack, '--occurrence=1', '-xOf', file, path]];
  // Its name is a courtesy: an image is not refused for a tool that stops early.
  await boundedTool(program, args, limits, take).catch(() => undefined);
  return systemName(text);
}
