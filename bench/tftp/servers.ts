import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BenchContext } from '../harness/bench.ts';
import { type Running, startProcess } from '../harness/process.ts';

const run = promisify(execFile);

export interface Server {
  name: string;
  port: number;
  process: Running;
}

/** The three servers over the same folder, each on a free high port of 127.0.0.1. */
export async function startServers(context: BenchContext, folder: string): Promise<Server[]> {
  const files = (await readdir(folder)).map((name) => path.join(folder, name));
  // in.tftpd and atftpd run as "nobody" and look at the folder's permissions.
  await chmod(context.scratch, 0o755);
  const own = await startProcess([
    process.execPath,
    context.program('serve'),
    path.join(context.scratch, 'rack'),
    ...files,
  ]);
  const servers: Server[] = [{ name: 'ingot', port: Number(await own.firstLine), process: own }];
  const hpaPort = await freePort();
  const hpa = ['/usr/sbin/in.tftpd', '--foreground', '--address', `127.0.0.1:${hpaPort}`, '--secure', folder] as const;
  servers.push({ name: 'tftpd-hpa', port: hpaPort, process: await startProcess(hpa) });
  const atftpPort = await freePort();
  const atftpd = [
    await unpackedAtftpd(context.root),
    ...['--daemon', '--no-fork', '--maxthread', '1000', '--verbose=0', '--logfile', '/dev/null', '--user', 'root.root'],
    ...['--bind-address', '127.0.0.1', '--port', String(atftpPort), folder],
  ] as const;
  servers.push({ name: 'atftpd', port: atftpPort, process: await startProcess(atftpd) });
  // Neither says when it is ready.
  await sleep(500);
  return servers;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Debian's atftpd conflicts with tftpd-hpa, so its package is only unpacked. */
async function unpackedAtftpd(root: string): Promise<string> {
  const folder = path.join(root, '.build/bench/atftpd');
  const program = path.join(folder, 'usr/sbin/atftpd');
  if (existsSync(program)) return program;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await run('apt-get', ['download', '--quiet', 'atftpd'], { cwd: folder, timeout: 120_000 });
  const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get download atftpd gave no package');
  await run('dpkg-deb', ['--extract', archive, '.'], { cwd: folder });
  return program;
}
