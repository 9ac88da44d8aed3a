import type { Snapshot } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import type { LeaseRow } from '../leases/lease-file.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { cidrContains } from '../network/ipv4.ts';
import { neighbourMac } from '../network/neighbours.ts';
import { findForeignDhcp } from './foreign.ts';
import { ALONE, type KeaGroup, keaGroups } from './kea-groups.ts';
import { type KeaServer, openKeaServer } from './kea-server.ts';
import { createProxyServers, type ProxyAnswer } from './proxy-server.ts';
import type { DhcpNews } from './report.ts';
import { type ServedVlan, servedVlans } from './served.ts';

/** All of DHCP at this rack: Kea where Ingot gives the addresses, the proxy where another does, and a look around. */
export interface Dhcp {
  /** Null = as the snapshot says; else what was refused. */
  apply(snapshot: Pick<Snapshot, 'vlans' | 'uefiBootChain'>, addresses: readonly HostAddress[]): Promise<string | null>;
  /**
   * The card behind an address: by its lease, or on a network in proxy mode by what the kernel sees on the wire. There
   * `claimed`, the card that our proxy sent here, must be the same: else something between answers for both.
   */
  macOf(ip: string, claimed?: string | null): Promise<string | null>;
  /** Leases of ours that hold now. */
  leases(): LeaseRow[];
  health(): { name: string; ok: boolean; detail: string }[];
  stop(): Promise<void>;
}

export interface DhcpOptions {
  /** DIR/rack */
  dir: string;
  rack: string;
  bootPort: number;
  /** Files of the rack's certificate. */
  tls: { cert: string; key: string };
  news: DhcpNews;
  onLease(row: LeaseRow): void;
  onProxyAnswer(answer: ProxyAnswer): void;
  /** A card was seen at an address that another server gave. */
  onNeighbour(seen: { ip: string; mac: string; subnetId: number }): void;
  log: Logger;
  timing?: Partial<DhcpTiming>;
}

export interface DhcpTiming {
  /** Between two looks at Kea's counters. */
  countMs: number;
  /** Between two searches for foreign servers; the first comes at once. */
  searchMs: number;
}

/** The rack has two seconds to end; what hangs then ends with its process. */
const STOP_WAIT_MS = 1000;
const TIMING: DhcpTiming = { countMs: 5000, searchMs: 300_000 };

export async function openDhcp(options: DhcpOptions): Promise<Dhcp> {
  const { log, news, rack } = options;
  const { countMs, searchMs } = { ...TIMING, ...options.timing };
  const servers = new Map<string, KeaServer>();
  const proxies = createProxyServers({ bootPort: options.bootPort, log, onAnswer: options.onProxyAnswer });
  let proxied: ServedVlan[] = [];
  let watched: ServedVlan[] = [];
  let own: string[] = [];
  let searchProblem = '';
  let stopped = false;

  const open = async (name: string) => {
    const found = servers.get(name);
    if (found) return found;
    const { dir, bootPort, tls, onLease } = options;
    const server = await openKeaServer({ dir, name, rack, bootPort, tls, onLease, log });
    servers.set(name, server);
    return server;
  };
  // Always there: machines hold its leases after their network has got a second rack, or was switched off.
  await open(ALONE);

  const empty = (name: string): KeaGroup => ({ name, peers: null, vlans: [], relayed: [], chain: 'ipxe' });
  async function applyNow(
    snapshot: Pick<Snapshot, 'vlans' | 'uefiBootChain'>,
    addresses: readonly HostAddress[],
  ): Promise<string | null> {
    const chain = snapshot.uefiBootChain ?? 'ipxe';
    const groups = keaGroups(snapshot.vlans, rack, addresses, chain);
    const errors: (string | null)[] = [];
    // What leaves a Kea must be gone from it before another serves it.
    for (const [name, server] of servers) {
      if (!groups.some((group) => group.name === name)) errors.push(await server.apply(empty(name)));
    }
    for (const group of groups) errors.push(await (await open(group.name)).apply(group));
    proxied = servedVlans(snapshot.vlans, 'proxy', rack, addresses);
    await proxies.follow(
      proxied.map(({ host }) => host),
      chain,
    );
    const before = watched;
    watched = [...groups.flatMap(({ vlans }) => vlans), ...proxied].filter(({ host }) => host.interface !== 'lo');
    const peers = snapshot.vlans.flatMap((vlan) => vlan.peers ?? []).map(({ address }) => address);
    own = [...addresses.map(({ address }) => address), ...peers];
    const isNew = watched.some(({ vlan }) => !before.some((one) => one.vlan.id === vlan.id));
    if (isNew) search();
    return errors.find((error) => error !== null) ?? null;
  }

  let applying: Promise<unknown> = Promise.resolve();
  let newest = 0;
  /** One after another; of several waiting only the last. */
  function apply(
    snapshot: Pick<Snapshot, 'vlans' | 'uefiBootChain'>,
    addresses: readonly HostAddress[],
  ): Promise<string | null> {
    newest += 1;
    const mine = newest;
    const result = applying.then(async () => {
      if (stopped) return 'the rack is stopping';
      return mine === newest ? await applyNow(snapshot, addresses) : 'overtaken by a newer configuration';
    });
    applying = result.catch(() => undefined);
    return result;
  }

  let searching: Promise<void> | null = null;
  let again = false;
  /** One search at a time; a wish that comes meanwhile is one more search afterwards. */
  function search(): void {
    if (stopped) return;
    if (searching !== null) {
      again = true;
      return;
    }
    again = false;
    searching = searchAll().finally(() => {
      searching = null;
      if (again) search();
    });
  }
  async function searchAll(): Promise<void> {
    const problems: string[] = [];
    await Promise.all(
      watched.map(async ({ vlan, host }) => {
        try {
          news.foreign(vlan.id, await findForeignDhcp(host, { own }));
        } catch (error) {
          problems.push(error instanceof Error ? error.message : String(error));
        }
      }),
    );
    const problem = problems.join('; ');
    if (problem !== searchProblem && problem !== '') log.warn({ problem }, 'cannot look for foreign DHCP servers');
    searchProblem = problem;
  }

  let counting: Promise<void> = Promise.resolve();
  async function count(): Promise<void> {
    for (const server of servers.values()) news.pools(await server.look());
  }
  const timers = [
    setInterval(() => {
      counting = counting.then(count).catch((error: unknown) => log.error({ err: error }, 'dhcp: not counted'));
    }, countMs),
    setInterval(search, searchMs),
  ];

  const proxiedAt = (ip: string) =>
    proxied.flatMap(({ vlan, host }) =>
      vlan.subnets.filter(({ cidr }) => cidrContains(cidr, ip)).map(({ id }) => ({ subnetId: id, host })),
    )[0];
  return {
    apply,
    macOf: async (ip, claimed) => {
      const at = proxiedAt(ip);
      if (at !== undefined) {
        // A lease of ours may be left from before; here only the wire is believed.
        const mac = await neighbourMac(ip, at.host.interface);
        if (mac === null || (claimed && claimed.toLowerCase() !== mac)) return null;
        options.onNeighbour({ ip, mac, subnetId: at.subnetId });
        return mac;
      }
      for (const server of servers.values()) {
        const mac = await server.leases.macOf(ip);
        if (mac !== null) return mac;
      }
      return null;
    },
    leases: () => [...servers.values()].flatMap((server) => server.leases.all()),
    health: () => {
      const all = [...servers.values()];
      const busy = all.filter((server) => !server.isIdle()).map((server) => server.health().detail);
      const detail = busy.length === 0 ? 'no VLAN to serve' : [...new Set(busy)].join('; ');
      const dhcp = all.map((server) => server.health()).find(({ ok }) => !ok) ?? { ok: true, detail };
      const problem = proxies.problem();
      const proxy = { ok: problem === '', detail: problem === '' ? `${proxies.serving()} networks` : problem };
      const isProxy = proxied.length > 0;
      return [{ name: 'dhcp', ...dhcp }, ...(isProxy ? [{ name: 'proxy-dhcp', ...proxy }] : [])];
    },
    stop: async () => {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      // A Kea that is being started must not outlive the stop; its own limits bound this wait.
      await Promise.race([applying, new Promise((resolve) => setTimeout(resolve, STOP_WAIT_MS))]);
      await Promise.all([...[...servers.values()].map((server) => server.stop()), proxies.close()]);
    },
  };
}
