import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '../run/command.ts';

/** The recipe's agent: Node says that it is there, fetches a shell script and runs it. */
const AGENT = `import { spawnSync } from 'node:child_process';
import { request } from 'node:http';

const base = process.argv[2];
const ask = (method, path) =>
  new Promise((resolve, reject) => {
    const call = request(base + path, { method }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve(text));
    });
    call.once('error', reject).end();
  });
await ask('POST', '/posted/agent');
const job = await ask('GET', '/job.sh');
process.exitCode = spawnSync('sh', ['-c', job], { stdio: 'inherit' }).status ?? 1;
`;

function unit(http: string): string {
  return `[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/node --no-warnings /usr/lib/ingot/agent.mjs ${http}
StandardOutput=tty
TTYPath=/dev/console
StandardError=tty
`;
}

/**
 * Ingot's initrd with the recipe's agent in place of its own, written to `target`. The recipe checks no sums, so the check of the root
 * image always passes here: it must not make the floor slower.
 */
export async function writeFloorInitrd(original: string, http: string, folder: string, target: string): Promise<void> {
  const tree = path.join(folder, 'initrd-overlay');
  const files: [string, string, number][] = [
    ['bin/sha256sum', '#!/bin/busybox sh\nexit 0\n', 0o755],
    ['ingot/usr/lib/ingot/agent.mjs', AGENT, 0o644],
    ['ingot/etc/systemd/system/ingot-agent.service', unit(http), 0o644],
  ];
  for (const [name, text, mode] of files) {
    await mkdir(path.join(tree, path.dirname(name)), { recursive: true });
    await writeFile(path.join(tree, name), text, { mode });
  }
  const archive = path.join(folder, 'initrd-overlay.cpio');
  const script = 'cd "$0" && find . | cpio --quiet --create --format=newc > "$1"';
  const made = await tryCommand(['sh', '-c', script, tree, archive], 60_000);
  if (made.code !== 0) throw new Error(`cpio: ${made.stderr}`);
  const first = await readFile(original);
  // Archives that follow one another begin on a four-byte boundary.
  const gap = Buffer.alloc((4 - (first.length % 4)) % 4);
  await writeFile(target, Buffer.concat([first, gap, await readFile(archive)]));
}
