/** What the bench tells the client program. */
export interface FetchOrder {
  port: number;
  name: string;
  blockSize: number;
  windowSize: number;
  /** At once, each from an address of its own. */
  clients: number;
  timeoutMs: number;
  /** Sum what came: once, to know that the server sends the right bytes. */
  digest: boolean;
}

export interface FetchResult {
  seconds: number;
  /** Clients that got the whole file. */
  received: number;
  bytes: number;
  timeouts: number;
  repeats: number;
  blockSize: number;
  windowSize: number;
  sha256: string;
  problems: string[];
}
