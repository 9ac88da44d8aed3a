import type { Logger } from 'pino';

/** Something that listens on one address. */
export interface Bound {
  close(): Promise<unknown>;
}

export interface BindingKind {
  name: string;
  bind(address: string): Promise<Bound>;
}

/** Keeps each kind of server on each of the host's addresses, as addresses come and go. */
export interface Bindings {
  /** Binds what is missing and closes what is gone. A port that is taken is tried again at the next call. */
  follow(addresses: readonly string[]): Promise<void>;
  /** What could not be bound, by kind. */
  problems(): Map<string, string>;
  close(): Promise<void>;
}

export function createBindings(kinds: readonly BindingKind[], log: Logger): Bindings {
  const bound = new Map<string, { address: string; server: Bound }>();
  let problems = new Map<string, string>();
  return {
    follow: async (addresses) => {
      for (const [key, { address, server }] of [...bound]) {
        if (addresses.includes(address)) continue;
        bound.delete(key);
        await server.close();
        log.info({ key }, 'address is gone: no longer listening');
      }
      const failed = new Map<string, string>();
      for (const address of addresses) {
        for (const kind of kinds) {
          const key = `${kind.name} ${address}`;
          if (bound.has(key)) continue;
          try {
            bound.set(key, { address, server: await kind.bind(address) });
            log.info({ key }, 'listening');
          } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            if (problems.get(kind.name) !== why) log.error({ key, why }, 'cannot listen');
            failed.set(kind.name, why);
          }
        }
      }
      problems = failed;
    },
    problems: () => problems,
    close: async () => {
      await Promise.all([...bound.values()].map(({ server }) => server.close()));
      bound.clear();
    },
  };
}
