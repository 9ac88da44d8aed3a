import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { UefiBootChain } from '@ingot/contract/rack.ts';
import { type DhcpPacket, decodeDhcp, encodeDhcp } from '@ingot/protocols/dhcp/packet.ts';
import { networkBootOf, proxyReply } from '@ingot/protocols/dhcp/proxy.ts';
import type { Logger } from 'pino';
import type { HostAddress } from '../network/interfaces.ts';
import { proxyFileOf } from './boot-program.ts';
import { openDeviceSocket } from './device-socket.ts';

/** Where the proxy of one network was asked and what it said. */
export interface ProxyAnswer {
  mac: string;
  address: string;
  file: string;
  kind: 'ipxe' | 'pxe' | 'http';
}

export interface ProxyServers {
  /** Stands on exactly these interfaces; one that could not be opened is tried again at the next call. */
  follow(hosts: readonly HostAddress[], chain: UefiBootChain): Promise<void>;
  /** What could not be opened; empty = all is well. */
  problem(): string;
  serving(): number;
  close(): Promise<void>;
}

export interface ProxyOptions {
  bootPort: number;
  log: Logger;
  onAnswer(answer: ProxyAnswer): void;
}

const CLIENT_PORT = 68;
const BINL_PORT = 4011;

/** A proxyDHCP server for each network in proxy mode: port 67 on the interface, port 4011 on our address there. */
export function createProxyServers(options: ProxyOptions): ProxyServers {
  const { log } = options;
  const open = new Map<string, Socket[]>();
  let problem = '';
  let chain: UefiBootChain = 'ipxe';

  const answer = (host: HostAddress, port: 67 | 4011, bytes: Buffer): DhcpPacket | null => {
    const request = decodeDhcp(bytes);
    const client = request && networkBootOf(request);
    if (!request || !client) return null;
    const file = proxyFileOf(client, `http://${host.address}:${options.bootPort}`, request.chaddr, chain);
    const reply = file === null ? null : proxyReply(request, port, { server: host.address, file });
    if (reply === null) return null;
    options.onAnswer({ mac: request.chaddr, address: request.ciaddr, file: reply.file, kind: client.kind });
    return reply;
  };
  const failed = (error: Error | null) => {
    if (error) log.warn({ err: error }, 'proxy DHCP: answer not sent');
  };

  async function start(host: HostAddress): Promise<Socket[]> {
    const discover = await openDeviceSocket(host.interface, 67);
    discover.on('error', failed);
    discover.on('message', (bytes) => {
      const reply = answer(host, 67, bytes);
      if (reply) discover.send(encodeDhcp({ ...reply, broadcast: true }), CLIENT_PORT, '255.255.255.255', failed);
    });
    try {
      return [discover, await listenBinl(host)];
    } catch (error) {
      discover.close();
      throw error;
    }
  }

  function listenBinl(host: HostAddress): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.bind(BINL_PORT, host.address, () => {
        socket.off('error', reject);
        socket.on('error', failed);
        // PXE 2.1 §2.2.5: answered where it came from, since the client has an address by now.
        socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
          const reply = answer(host, BINL_PORT, bytes);
          if (reply) socket.send(encodeDhcp(reply), from.port, from.address, failed);
        });
        resolve(socket);
      });
    });
  }

  const keyOf = (host: HostAddress) => `${host.interface} ${host.address}`;
  return {
    follow: async (hosts, told) => {
      chain = told;
      for (const [key, sockets] of [...open]) {
        if (hosts.some((host) => keyOf(host) === key)) continue;
        open.delete(key);
        await closeAll(sockets);
        log.info({ key }, 'proxy DHCP: no longer here');
      }
      const problems: string[] = [];
      for (const host of hosts) {
        const key = keyOf(host);
        if (open.has(key)) continue;
        try {
          open.set(key, await start(host));
          log.info({ key }, 'proxy DHCP: listening');
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          if (!problem.includes(why)) log.error({ key, why }, 'proxy DHCP: cannot listen');
          problems.push(why);
        }
      }
      problem = problems.join('; ');
    },
    problem: () => problem,
    serving: () => open.size,
    close: async () => {
      await closeAll([...open.values()].flat());
      open.clear();
    },
  };
}

async function closeAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
}
