import type { BootEntry, Evidence, PowerOutcome, PowerWork, Snapshot, ToRack } from '@ingot/contract/rack.ts';
import { callBmc, type SimulatedBmc } from './bmc.ts';
import { type BootAnswer, bootAnswer } from './boot-answer.ts';
import { type Answer, createForwarder, type ForwardRequest } from './forward.ts';
import { createIdentity } from './identity.ts';
import { leaseFor, type SimulatedLease } from './leases.ts';
import { openSimulatedLink } from './link.ts';

/** Where a simulated site stands; its own, so that nothing on the host is touched or meant. */
export const SIMULATED_NETWORK = {
  cidr: '10.99.0.0/24',
  rackAddress: '10.99.0.1',
  rackUrl: 'http://10.99.0.1:5248',
  range: { start: '10.99.0.100', end: '10.99.0.199' },
  bmcAddress: (index: number) => `10.99.0.${10 + index}`,
};

export interface PowerCall {
  atMs: number;
  systemId: string;
  action: PowerWork['action'];
  ok: boolean;
}

/** The network that simulated machines are plugged into. */
export interface SimulatedRack {
  id: string;
  name: string;
  connected(): boolean;
  /** Every order carried out, oldest first; one that the region sends again after a reconnect is not done again. */
  calls(): readonly PowerCall[];
  /** Plugs a machine's BMC in. */
  attach(bmc: SimulatedBmc): void;
  /** Null while no network with DHCP has an address left. */
  lease(mac: string): SimulatedLease | null;
  boot(mac: string): BootAnswer;
  entryOf(mac: string): BootEntry | null;
  note(seen: Pick<Evidence, 'kind' | 'mac' | 'address' | 'text'> & { data?: Record<string, unknown> }): void;
  forward(request: Omit<ForwardRequest, 'client'>, client: { address: string; mac: string }): Promise<Answer>;
  stop(): void;
}

export interface SimulatedRackOptions {
  /** The region's DIR/run/rack.sock. */
  socketPath: string;
  name: string;
}

/** Outcomes remembered, so that work sent twice is done once. */
const REMEMBERED = 10_000;
const LEASE_SECONDS = 600;

/** Speaks the real rack protocol for machines that exist in this process only: no Kea, no sockets of its own, no root. */
export function startSimulatedRack({ socketPath, name }: SimulatedRackOptions): SimulatedRack {
  const identity = createIdentity();
  const forwarder = createForwarder(socketPath, identity);
  const bmcs = new Map<string, SimulatedBmc>();
  const leases = new Map<string, SimulatedLease>();
  const entries = new Map<string, BootEntry>();
  const calls: PowerCall[] = [];
  const work = new Map<number, Promise<PowerOutcome>>();
  const unacknowledged = new Map<number, PowerOutcome>();
  let snapshot: Snapshot | null = null;
  /** The newest word on each machine since the snapshot: an older one that comes late is not taken, as in a real rack. */
  let told = new Map<string, { version: number; entry: BootEntry | null }>();

  const link = openSimulatedLink({
    socketPath,
    name,
    identity,
    interfaces: [
      { name: 'sim0', mac: '52:54:00:99:00:01', addresses: [`${SIMULATED_NETWORK.rackAddress}/24`], up: true },
    ],
    onWelcome: () => {
      // The region may count anew.
      told.clear();
      for (const [id, outcome] of unacknowledged) link.send({ type: 'work.done', id, outcome });
      if (leases.size > 0) sendLeases([...leases.values()]);
    },
    onMessage: receive,
  });

  function receive(message: Exclude<ToRack, { type: 'welcome' }>): void {
    switch (message.type) {
      case 'snapshot':
        snapshot = message.snapshot;
        entries.clear();
        for (const entry of message.snapshot.machines) entries.set(entry.systemId, entry);
        told = new Map([...told].filter(([, { version }]) => version > message.snapshot.version));
        for (const [systemId, { entry }] of told) learn(systemId, entry);
        link.send({ type: 'snapshot.applied', version: snapshot.version, error: null });
        return;
      case 'machine':
        if (message.version <= (told.get(message.systemId)?.version ?? snapshot?.version ?? 0)) return;
        told.set(message.systemId, message);
        learn(message.systemId, message.entry);
        return;
      case 'work':
        void carryOut(message.work);
        return;
      case 'work.ack':
        unacknowledged.delete(message.id);
        return;
    }
  }

  function learn(systemId: string, entry: BootEntry | null): void {
    if (entry) entries.set(systemId, entry);
    else entries.delete(systemId);
  }

  async function carryOut(order: PowerWork): Promise<void> {
    const begun = work.get(order.id) ?? once(order);
    work.set(order.id, begun);
    if (work.size > REMEMBERED) work.delete(work.keys().next().value ?? order.id);
    const outcome = await begun;
    unacknowledged.set(order.id, outcome);
    link.send({ type: 'work.done', id: order.id, outcome });
  }

  async function once(order: PowerWork): Promise<PowerOutcome> {
    const address = order.parameters.power_address ?? '';
    const outcome = await callBmc(bmcs.get(address), order);
    calls.push({ atMs: Date.now(), systemId: order.systemId, action: order.action, ok: outcome.ok });
    const evidence: Evidence = {
      kind: 'power.call',
      mac: '',
      address,
      systemId: order.systemId,
      attempt: order.attempt,
      text: `power ${order.action}: ${outcome.ok ? outcome.state : outcome.message}`,
      agoMs: 0,
      data: { action: order.action, work: order.id },
    };
    link.send({ type: 'evidence', items: [evidence] });
    return outcome;
  }

  function sendLeases(rows: SimulatedLease[]): void {
    const items = rows.map((row) => ({ ...row, hostname: '', expiresInSeconds: LEASE_SECONDS }));
    link.send({ type: 'leases', items });
  }

  const entryOf = (mac: string) => [...entries.values()].find(({ macs }) => macs.includes(mac)) ?? null;
  const clientOf = (client: { address: string; mac: string }) => ({ ...client, rackUrl: SIMULATED_NETWORK.rackUrl });

  return {
    id: identity.rack,
    name,
    connected: link.connected,
    calls: () => calls,
    attach: (bmc) => void bmcs.set(bmc.address, bmc),
    lease: (mac) => {
      const lease = leaseFor(snapshot, leases, mac);
      if (!lease) return null;
      leases.set(mac, lease);
      sendLeases([lease]);
      return lease;
    },
    boot: (mac) => bootAnswer(snapshot, entryOf(mac), mac, identity, Date.now()),
    entryOf,
    note: ({ data = {}, ...seen }) => {
      const entry = entryOf(seen.mac);
      const of = { systemId: entry?.systemId ?? null, attempt: entry?.attempt ?? null };
      link.send({ type: 'evidence', items: [{ ...seen, ...of, agoMs: 0, data }] });
    },
    forward: (request, client) => forwarder.send({ ...request, client: clientOf(client) }),
    stop: () => {
      link.stop();
      forwarder.close();
    },
  };
}
