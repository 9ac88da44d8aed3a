import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Certificate } from '../tls/certificate.ts';
import type { Listener } from './routes.ts';

export interface Listening {
  port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

const CONNECTIONS = 2048;

/** A slow machine may take minutes for its image (no limit on answers), but not for its question. */
const LIMITS = { requestTimeout: 120_000, headersTimeout: 20_000, connectionsCheckingInterval: 5000 };
export type QuestionLimits = typeof LIMITS;

/** Rejects when the address and port cannot be had. `questions` is shorter in tests. */
export function listen(
  listener: Listener,
  address: string,
  port: number,
  tls?: Certificate,
  questions: QuestionLimits = LIMITS,
): Promise<Listening> {
  const limits = { ...questions, keepAliveTimeout: 75_000 };
  const server: Server = tls
    ? createTlsServer({ ...limits, key: tls.key, cert: tls.cert, minVersion: 'TLSv1.2' }, listener)
    : createServer(limits, listener);
  server.maxConnections = CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve({
        port: bound !== null && typeof bound === 'object' ? bound.port : port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
