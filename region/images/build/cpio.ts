/** One entry of an initramfs archive. Times are zero and owners root, so that equal contents give equal archives. */
export type CpioEntry =
  | { path: string; kind: 'directory'; mode?: number }
  | { path: string; kind: 'file'; mode: number; content: Buffer }
  | { path: string; kind: 'link'; target: string };

const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const SYMLINK = 0o120000;

/**
 * A "newc" archive (magic 070701, cpio(5)), as the kernel unpacks it. Missing parent directories are added. The length is a
 * multiple of 512, so that compressed archives can follow one another.
 */
export function cpioArchive(entries: CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directories = new Set<string>();
  let inode = 1;
  const add = (path: string, mode: number, content: Buffer) => {
    parts.push(header(path, inode++, mode, content.length), pad(content));
  };
  const addParents = (path: string) => {
    const names = path.split('/').slice(0, -1);
    names.forEach((_, index) => {
      const directory = names.slice(0, index + 1).join('/');
      if (directories.has(directory)) return;
      directories.add(directory);
      add(directory, DIRECTORY | 0o755, Buffer.alloc(0));
    });
  };
  for (const entry of entries) {
    addParents(entry.path);
    if (entry.kind === 'file') add(entry.path, REGULAR | entry.mode, entry.content);
    else if (entry.kind === 'link') add(entry.path, SYMLINK | 0o777, Buffer.from(entry.target));
    else if (!directories.has(entry.path)) {
      directories.add(entry.path);
      add(entry.path, DIRECTORY | (entry.mode ?? 0o755), Buffer.alloc(0));
    }
  }
  parts.push(header('TRAILER!!!', 0, 0, 0));
  const archive = Buffer.concat(parts);
  return Buffer.concat([archive, Buffer.alloc((512 - (archive.length % 512)) % 512)]);
}

function header(path: string, inode: number, mode: number, size: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === DIRECTORY ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.length, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return pad(Buffer.concat([Buffer.from(text), name]));
}

function pad(buffer: Buffer): Buffer {
  return Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)]);
}
