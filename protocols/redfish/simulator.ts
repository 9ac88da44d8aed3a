import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { PERSONAS } from './persona.ts';
import type { RedfishSystem } from './simulated-system.ts';
import { handle, type ServiceState } from './simulator-routes.ts';

/** What may be wrong with a simulated service, as data. Read at every request, so it may change at any time. */
export interface RedfishFaults {
  /** Connections are taken, nothing is answered. */
  silent?: boolean;
  /** Every login is refused as with a wrong password. */
  refusesLogin?: boolean;
  /** 'off' and 'on' say so whatever is true; 'deaf' says yes to every Reset and does nothing. */
  lies?: 'off' | 'on' | 'deaf';
  /** A PowerState to give instead, e.g. what HPE says while its host restarts. */
  powerState?: string;
  /** Answers come this late. */
  delayMs?: number;
  /** Every request below /redfish/v1/Systems is answered with a redirect to this place. */
  redirectsTo?: string;
  /** Bodies are endless, or cut off. */
  bodies?: 'huge' | 'malformed';
  /** This status for everything, e.g. 503. */
  status?: number;
  /** Boot overrides are accepted and not kept. */
  forgetsBoot?: boolean;
}

export interface RedfishServerOptions {
  /** An address of this host, e.g. any of 127.0.0.0/8. */
  address: string;
  /** 0 = any free one. */
  port: number;
  users: readonly { name: string; password: string }[];
  systems: readonly RedfishSystem[];
  /** False: only sessions are taken. */
  basicAuth?: boolean;
  faults?: () => RedfishFaults;
}

export interface RedfishServer {
  address: string;
  port: number;
  url: string;
  /** Method and path of every request that came, newest last, at most 1000. */
  requests(): readonly string[];
  /** Sessions that stand. */
  sessions(): number;
  close(): Promise<void>;
}

export interface Certificate {
  key: string;
  cert: string;
}

/** Self-signed, as BMCs have it; for any name. Made by openssl in some 20 ms. */
export async function makeCertificate(): Promise<Certificate> {
  const how =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=simulated-bmc -keyout -';
  const { stdout } = await promisify(execFile)('openssl', ['req', ...how.split(' ')], { timeout: 20_000 });
  const block = (name: string) => new RegExp(`-----BEGIN ${name}-----[^-]+-----END ${name}-----\n`).exec(stdout)?.[0];
  const [key, cert] = [block('PRIVATE KEY'), block('CERTIFICATE')];
  if (key === undefined || cert === undefined) throw new Error('openssl made no certificate');
  return { key, cert };
}

/** Many services in one process: one TLS context and one certificate, an address and port each. */
export interface RedfishHost {
  /** Rejects with Node's error when the address cannot be had. */
  serve(options: RedfishServerOptions): Promise<RedfishServer>;
  close(): Promise<void>;
}

export function createRedfishHost(certificate: Certificate): RedfishHost {
  const services = new Map<string, ServiceState>();
  const running = new Set<RedfishServer>();
  const serviceOf = (socket: Socket) => services.get(`${socket.localAddress}:${socket.localPort}`);
  // It never listens itself: connections are handed to it, so that the TLS context stands once for all services.
  const tls = createTlsServer({ ...certificate, requestTimeout: 60_000 }, (request, response) => {
    const service = serviceOf(request.socket);
    if (service === undefined) request.socket.destroy();
    else answer(service, request, response);
  });
  // A peer that goes away in the handshake is nobody's fault.
  tls.on('tlsClientError', () => undefined);

  async function serve(options: RedfishServerOptions): Promise<RedfishServer> {
    const sockets = new Set<Socket>();
    const listener = createTcpServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      tls.emit('connection', socket);
    });
    const { address, port } = await listening(listener, options);
    const service = stateOf(options);
    const key = `${address}:${port}`;
    services.set(key, service);
    const server: RedfishServer = {
      address,
      port,
      url: `https://${address.includes(':') ? `[${address}]` : address}:${port}`,
      requests: () => service.requests,
      sessions: () => service.sessions.size,
      close: async () => {
        if (!running.delete(server)) return;
        services.delete(key);
        const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
        for (const socket of sockets) socket.destroy();
        await closed;
      },
    };
    running.add(server);
    return server;
  }

  return {
    serve,
    close: async () => {
      await Promise.all([...running].map((server) => server.close()));
      tls.close();
    },
  };
}

/** One service alone, with a certificate of its own. */
export async function startRedfishServer(options: RedfishServerOptions): Promise<RedfishServer> {
  const host = createRedfishHost(await makeCertificate());
  const server = await host.serve(options);
  return { ...server, close: () => host.close() };
}

function stateOf(options: RedfishServerOptions): ServiceState {
  const systems = options.systems.map((system) => ({
    system,
    persona: system.persona ?? PERSONAS.generic,
    boot: { enabled: 'Disabled', target: 'None', mode: 'UEFI' },
    revision: 1,
  }));
  return {
    users: options.users,
    systems: new Map(systems.map((state) => [state.system.id, state])),
    basicAuth: options.basicAuth ?? true,
    faults: options.faults ?? (() => ({})),
    sessions: new Map(),
    newToken: () => randomBytes(16).toString('hex'),
    requests: [],
  };
}

function answer(service: ServiceState, request: IncomingMessage, response: ServerResponse): void {
  handle(service, request, response).catch(() => request.socket.destroy());
}

function listening(server: Server, at: { address: string; port: number }): Promise<{ address: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.address, () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error('no TCP address'));
      else resolve({ address: bound.address, port: bound.port });
    });
  });
}
