import type { Logger } from 'pino';
import { type PrivateCluster, startPrivateCluster } from '../postgres/cluster.ts';
import { isAlive } from '../postgres/running-server.ts';

const EVERY_MS = 1000;

export interface WatchedCluster {
  /** Ends the watch and the server. */
  stop(): Promise<void>;
}

/** Starts the private server again when it ends by itself (killed, out of memory); the pool reconnects by itself. */
export function watchCluster(first: PrivateCluster, stateDir: string, log: Logger): WatchedCluster {
  let cluster = first;
  let stopped = false;
  let starting: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (stopped || starting || isAlive(cluster.pid)) return;
    log.error({ pid: cluster.pid }, 'PostgreSQL ended by itself; starting it again');
    starting = startPrivateCluster({ stateDir, log })
      .then(
        (started) => {
          cluster = started;
        },
        (error: unknown) => log.error({ err: error }, 'PostgreSQL did not start; trying again'),
      )
      .finally(() => {
        starting = null;
      });
  }, EVERY_MS);
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await starting;
      await cluster.stop();
    },
  };
}
