import type http from 'node:http';

/** How long and how many a server's requests may be, so that slow clients cannot keep others out. */
export interface RequestLimits {
  /** Until the head of a request has come. */
  headersMs: number;
  /** Until the whole request has come, its body included; answers, long polls and streams have no such limit. */
  requestMs: number;
  /** How often late requests are looked for. */
  checkMs: number;
  /** Open connections; more are dropped at once. */
  connections: number;
}

/** The largest body, 32 MiB, comes within `requestMs` over 1 Mbit/s. */
export const REQUEST_LIMITS: RequestLimits = {
  headersMs: 20_000,
  requestMs: 300_000,
  checkMs: 5000,
  connections: 8192,
};

/** For http.createServer: the interval cannot be changed later. */
export const serverOptions = ({ headersMs, requestMs, checkMs }: RequestLimits): http.ServerOptions => ({
  headersTimeout: headersMs,
  requestTimeout: requestMs,
  connectionsCheckingInterval: checkMs,
});
