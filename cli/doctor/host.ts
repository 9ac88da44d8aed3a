import dgram from 'node:dgram';
import { existsSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { socketOf } from '../client/connection.ts';
import { holderOf } from '../supervise/lock.ts';
import type { HostFacts } from './checks.ts';

const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', '/sbin', '/bin'];
const PORTS = [
  ['tcp', 5240],
  ['udp', 67],
  ['udp', 69],
  ['tcp', 5248],
  ['tcp', 5249],
] as const;

/** Looks at this host without changing anything. Ports are tried only while nothing of ours runs here. */
export async function lookAtHost(stateDir: string): Promise<HostFacts> {
  const upPid = holderOf(stateDir);
  const socketExists = existsSync(socketOf(stateDir));
  const free = await statfs(stateDir).then(
    (stats) => stats.bavail * stats.bsize,
    () => null,
  );
  return {
    stateDir,
    nodeMajor: Number(process.versions.node.split('.')[0]),
    freeBytes: free,
    upPid,
    socketExists,
    programs: {
      postgres: await findPostgres(),
      'kea-dhcp4': findProgram('kea-dhcp4'),
      ssh: findProgram('ssh'),
    },
    takenPorts: upPid === null && !socketExists ? await takenPorts() : [],
  };
}

function findProgram(name: string): string | null {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

/** Debian keeps each major's programs apart and none of them on the path. */
async function findPostgres(): Promise<string | null> {
  const majors = await readdir('/usr/lib/postgresql').catch(() => []);
  const usable = majors.filter((major) => Number(major) >= 15).sort((a, b) => Number(b) - Number(a));
  const files = usable.map((major) => `/usr/lib/postgresql/${major}/bin/postgres`);
  return files.find((file) => existsSync(file)) ?? findProgram('postgres');
}

async function takenPorts(): Promise<string[]> {
  const taken = await Promise.all(
    PORTS.map(async ([protocol, port]) => {
      const code = protocol === 'tcp' ? await tryTcp(port) : await tryUdp(port);
      // Not allowed to try is not the same as taken.
      return code === 'EADDRINUSE' ? [`${protocol} ${port}`] : [];
    }),
  );
  return taken.flat();
}

function tryTcp(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(null)));
  });
}

function tryUdp(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? 'error');
    });
    socket.bind(port, '0.0.0.0', () => socket.close(() => resolve(null)));
  });
}
