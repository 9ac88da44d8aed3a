import http from 'node:http';
import { ask } from '../fleet/client.ts';
import { coresOf, memoryOf, POOLS, TAGS, ZONES } from '../fleet/seed.ts';

export interface Grants {
  /** Machines that were granted, by system_id; a machine twice would be two grants of it. */
  granted: string[];
  /** Milliseconds from request to the whole answer, of each grant. */
  ms: number[];
  seconds: number;
  /** Answers that were no grant, by status. */
  others: Map<number, number>;
}

/**
 * What the n-th request asks for: the tags, zone and pool of one of the machines, and at least half of its memory and
 * cores, so that many fit, others from request to request.
 */
export function constraintsFor(n: number, machines: number): Record<string, string> {
  const like = ((n * 7919) % machines) + 1;
  const tags = TAGS.filter((_, i) => (like >> i) % 2 === 0);
  return {
    tags: tags.slice(0, 2).join(','),
    mem: String(memoryOf(like) / 2),
    cpu_count: String(coresOf(like) / 2),
    zone: ZONES[like % ZONES.length] ?? 'default',
    pool: POOLS[like % POOLS.length] ?? 'default',
  };
}

/** `clients` people with a connection each ask again and again until there were `requests` requests. */
export async function allocateMany(
  ports: readonly number[],
  key: string,
  clients: number,
  requests: number,
  machines: number,
): Promise<Grants> {
  const grants: Grants = { granted: [], ms: [], seconds: 0, others: new Map() };
  let next = 0;
  const started = performance.now();
  const client = async (which: number) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const port = ports[which % ports.length] ?? 0;
    while (next < requests) {
      const form = { ...constraintsFor(next, machines), agent_name: `client-${which}` };
      next += 1;
      const path = '/MAAS/api/2.0/machines/?op=allocate';
      const answer = await ask({ port, key, method: 'POST', path, form, agent, keep: 100 });
      const systemId = /"system_id": "(\w+)"/.exec(answer.head)?.[1];
      if (answer.status === 200 && systemId !== undefined) {
        grants.granted.push(systemId);
        grants.ms.push(answer.ms);
      } else grants.others.set(answer.status, (grants.others.get(answer.status) ?? 0) + 1);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: clients }, (_, which) => client(which)));
  grants.seconds = (performance.now() - started) / 1000;
  return grants;
}
