import { join } from 'node:path';
import { RACK_PROTOCOL, type Snapshot, type ToRack } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import { loadBootFiles, missingFor } from './boot/boot-files.ts';
import { openSnapshotStore } from './boot/snapshot-store.ts';
import { openDhcp } from './dhcp/dhcp.ts';
import type { ProxyAnswer } from './dhcp/proxy-server.ts';
import { createDhcpNews } from './dhcp/report.ts';
import { createEvidenceQueue } from './evidence/evidence.ts';
import { createRegionClient } from './forward/region-client.ts';
import type { BootPlane, Ports } from './httpboot/boot-plane.ts';
import { listen } from './httpboot/listen.ts';
import { agentListener, bootListener } from './httpboot/routes.ts';
import { loadIdentity } from './identity/identity.ts';
import { openImageCache } from './imagecache/cache.ts';
import type { LeaseRow } from './leases/lease-file.ts';
import { openLeases } from './leases/leases.ts';
import { createSightings } from './leases/sightings.ts';
import { type Hello, type Link, openLink } from './link/link.ts';
import { createOutbox } from './link/outbox.ts';
import { serveMetrics } from './metrics.ts';
import { createBindings } from './network/bindings.ts';
import { type HostAddress, hostAddresses, loopbackAddress, reportedInterfaces } from './network/interfaces.ts';
import { openJournal } from './power/journal.ts';
import { createPowerWorker } from './power/worker.ts';
import type { RegionAddress } from './region/address.ts';
import { openTransport } from './region/transport.ts';
import { serveTftp } from './tftp/serve-tftp.ts';
import { loadCertificate } from './tls/certificate.ts';

export interface RackOptions {
  /** State below DIR/rack. */
  stateDir: string;
  region: RegionAddress;
  name: string;
  /** Serve on these addresses only; empty = every IPv4 address but loopback. One of loopback has its prefix with it. */
  addresses: readonly string[];
  /** Kea's lease file of a DHCP server that others run for these networks; null = there is none. */
  foreignLeases: string | null;
  /** False where no firmware asks by TFTP. */
  tftp: boolean;
  /** Serve on these interfaces only; empty = all. */
  interfaces: readonly string[];
  /** The region's blobs directory when on the same host. */
  blobs: string | null;
  cacheLimitBytes: number;
  ports: Ports;
  version: string;
  log: Logger;
}

export interface Rack {
  stop(): Promise<void>;
}

const RESCAN_MS = 3000;
const HEALTH_MS = 10_000;
const REPEAT_WORK_MS = 5000;
const NEWS_MS = 1000;
const PREFETCH_RETRY_MS = 3000;

/** Starts everything of a rack and wires it together. */
export async function startRack(options: RackOptions): Promise<Rack> {
  const { log } = options;
  const dir = join(options.stateDir, 'rack');
  const identity = await loadIdentity(join(dir, 'identity'));
  const certificate = await loadCertificate(join(dir, 'tls'), Date.now());
  const snapshot = await openSnapshotStore(join(dir, 'snapshot.json'));
  const evidence = createEvidenceQueue();
  const transport = openTransport(options.region);
  const region = createRegionClient(transport, identity);
  const { blobs, cacheLimitBytes: limitBytes } = options;
  const cache = await openImageCache({ dir: join(dir, 'cache'), region, blobs, limitBytes, log });
  const files = await loadBootFiles();
  const journal = await openJournal(join(dir, 'work'), Date.now);
  let link: Link | null = null;
  let stopped = false;

  const outbox = createOutbox(() => link, evidence, Date.now);
  const onLease = (row: LeaseRow) => {
    outbox.addLease(row);
    const machine = snapshot.machineOf(row.mac);
    evidence.add({
      kind: 'dhcp.lease',
      mac: row.mac,
      address: row.ip,
      systemId: machine?.systemId ?? null,
      attempt: machine?.attempt ?? null,
      text: `DHCP gave ${row.ip} to ${row.mac}`,
      data: { subnetId: row.subnetId, hostname: row.hostname },
    });
  };
  const onProxyAnswer = ({ mac, address, file, kind }: ProxyAnswer) => {
    const machine = snapshot.machineOf(mac);
    evidence.add({
      kind: 'dhcp.proxy',
      mac,
      address: address === '0.0.0.0' ? '' : address,
      systemId: machine?.systemId ?? null,
      attempt: machine?.attempt ?? null,
      text: `proxy DHCP told ${mac} to boot ${file}`,
      data: { file, kind },
    });
  };
  const news = createDhcpNews();
  const seen = createSightings(Date.now);
  const dhcp = await openDhcp({
    dir,
    rack: identity.rack,
    bootPort: options.ports.http,
    tls: { cert: join(dir, 'tls', 'cert.pem'), key: join(dir, 'tls', 'key.pem') },
    news,
    onLease,
    onProxyAnswer,
    onNeighbour: (neighbour) => {
      const row = seen.leaseOf(neighbour);
      if (row !== null) outbox.addLease(row);
    },
    log,
  });
  const { foreignLeases } = options;
  const foreign = foreignLeases ? await openLeases({ file: foreignLeases, controlSocket: null, onLease }) : null;
  const power = createPowerWorker({
    journal,
    evidence,
    log,
    report: (id, outcome) => void link?.send({ type: 'work.done', id, outcome }),
  });

  const plane: BootPlane = {
    identity,
    snapshot,
    macOf: async (ip, claimed) => (await dhcp.macOf(ip, claimed)) ?? (foreign ? await foreign.macOf(ip) : null),
    cache,
    files,
    region,
    evidence,
    pin: certificate.pin,
    ports: options.ports,
    log,
  };
  const boot = bootListener(plane);
  const agent = agentListener(plane);
  const bindings = createBindings(
    [
      ...(options.tftp ? [{ name: 'tftp', bind: (address: string) => serveTftp(plane, address) }] : []),
      { name: 'http', bind: (address) => listen(boot, address, options.ports.http) },
      { name: 'agent', bind: (address) => listen(agent, address, options.ports.https, certificate) },
    ],
    log,
  );

  const scan = (): HostAddress[] => {
    const all = hostAddresses(options.interfaces);
    if (options.addresses.length === 0) return all;
    const loopback = options.addresses.map(loopbackAddress).filter((address) => address !== null);
    return [...all.filter(({ address }) => options.addresses.includes(address)), ...loopback];
  };
  let addresses = scan();
  await bindings.follow(addresses.map(({ address }) => address));

  async function prefetch(current: Snapshot): Promise<void> {
    const sums = current.ephemeral.flatMap((image) => [
      image.kernel.sha256,
      image.initrd.sha256,
      image.squashfs.sha256,
    ]);
    cache.pin(sums);
    for (const sum of sums) {
      while (!stopped && snapshot.current()?.ephemeral === current.ephemeral) {
        if ((await cache.get(sum)).kind !== 'unavailable') break;
        await new Promise((resolve) => setTimeout(resolve, PREFETCH_RETRY_MS));
      }
    }
  }

  async function takeSnapshot(next: Snapshot): Promise<void> {
    const saved = snapshot.replace(next);
    void prefetch(next);
    const error = await dhcp.apply(next, addresses);
    await saved;
    link?.send({ type: 'snapshot.applied', version: next.version, error });
  }

  function onMessage(message: Exclude<ToRack, { type: 'welcome' }>): void {
    switch (message.type) {
      case 'snapshot':
        takeSnapshot(message.snapshot).catch((error: unknown) => {
          log.error({ err: error }, 'snapshot not applied');
          const why = error instanceof Error ? error.message : String(error);
          link?.send({ type: 'snapshot.applied', version: message.snapshot.version, error: why });
        });
        return;
      case 'machine':
        snapshot.change(message.version, message.systemId, message.entry);
        return;
      case 'work':
        power.submit(message.work);
        return;
      case 'work.ack':
        power.acknowledge(message.id);
        return;
    }
  }

  const hello = (): Hello => ({
    type: 'hello',
    protocols: [RACK_PROTOCOL],
    rack: identity.rack,
    name: options.name,
    version: options.version,
    publicKey: identity.publicKey,
    certificate: certificate.cert,
    interfaces: reportedInterfaces(addresses),
    snapshotVersion: snapshot.current()?.version ?? null,
  });
  const health = () => {
    const problems = bindings.problems();
    const listening = [...(options.tftp ? ['tftp'] : []), 'http', 'agent'].map((name) => {
      const problem = problems.get(name);
      return { name, ok: problem === undefined, detail: problem ?? 'listening' };
    });
    const missing = missingFor(snapshot.current()?.uefiBootChain ?? 'ipxe', files);
    const programs = { ok: missing === '', detail: missing === '' ? 'present' : missing };
    return [...listening, { name: 'boot-programs', ...programs }, ...dhcp.health()];
  };
  const sendHealth = () => link?.send({ type: 'health', services: health() });
  const repeatWork = () => {
    for (const { id, outcome } of power.unacknowledged()) link?.send({ type: 'work.done', id, outcome });
  };

  async function rescan(): Promise<void> {
    const found = scan();
    const changed = JSON.stringify(found) !== JSON.stringify(addresses);
    if (!changed && bindings.problems().size === 0) return;
    addresses = found;
    await bindings.follow(addresses.map(({ address }) => address));
    if (!changed) return;
    log.info({ addresses: addresses.map(({ cidr }) => cidr) }, 'addresses of this host changed');
    const current = snapshot.current();
    if (current) await dhcp.apply(current, addresses);
    link?.reconnect();
  }

  const metrics = await serveMetrics(join(dir, 'metrics.sock'), log, {
    evidenceWaiting: evidence.size,
    evidenceDropped: evidence.dropped,
    powerRunning: power.running,
    cacheBytes: cache.bytes,
    foreignDhcpServers: news.servers,
    dhcpRefused: news.refused,
    connected: () => link?.connected() ?? false,
  });
  // What was served before the start is served again, region or not.
  const remembered = snapshot.current();
  if (remembered) {
    void dhcp.apply(remembered, addresses);
    void prefetch(remembered);
  }
  link = openLink({
    region: transport,
    identity,
    hello,
    onMessage,
    onWelcome: () => {
      snapshot.newLink();
      outbox.resendLeases([...dhcp.leases(), ...(foreign ? foreign.all() : [])]);
      news.repeat();
      repeatWork();
      sendHealth();
    },
    log,
  });
  let rescanning = Promise.resolve();
  const failed = (error: unknown) => log.error({ err: error }, 'rescan failed');
  const timers = [
    setInterval(() => {
      rescanning = rescanning.then(rescan).catch(failed);
    }, RESCAN_MS),
    setInterval(sendHealth, HEALTH_MS),
    setInterval(repeatWork, REPEAT_WORK_MS),
    setInterval(() => news.tell((message) => link?.send(message) ?? false), NEWS_MS),
  ];
  log.info({ rack: identity.rack, addresses: addresses.map(({ cidr }) => cidr) }, 'rack started');

  return {
    stop: async () => {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      await power.stop();
      outbox.stop();
      link?.stop();
      await Promise.all([
        bindings.close(),
        dhcp.stop(),
        foreign?.stop(),
        cache.close(),
        metrics.close(),
        snapshot.flush(),
      ]);
      transport.close();
    },
  };
}
