import * as z from 'zod';

/**
 * Region ↔ rack: one WebSocket (`GET /rack/v1/link`, text frames, one JSON message each), dialled by the rack over the
 * region's unix socket (same host) or TLS with the pinned CA. Protocol N and N−1 are spoken.
 *
 * Besides the link, the rack forwards requests of machines by plain HTTP over the same socket, adding
 *   x-ingot-rack: rack id · x-ingot-client: client address · x-ingot-mac: leased MAC or empty · x-ingot-time: ms ·
 *   x-ingot-signature: base64(Ed25519(method "\n" path-with-query "\n" client "\n" mac "\n" time)) ·
 *   x-ingot-rack-url: where the machine reaches this rack, e.g. http://10.0.0.1:5248 (unsigned; for links in replies)
 * and fetches image blobs by GET /rack/v1/blobs/{sha256} (Range, strong ETag), same signature headers (client and mac empty).
 * A remote rack enrols by POST /rack/v1/enroll (EnrollRequest → 204) and then signs its link's upgrade request too;
 * over the unix socket (mode 0600) the first `hello` with a public key enrols. A request over TLS that carries no
 * signature is refused with 401, one that is not believed with 403, as {code, message, fix}; times may differ by 5 min.
 *
 * What a person carries to a rack is SECRET "." FINGERPRINT: the one-time token of EnrollRequest, and the SHA-256 of the
 * DER of the region's CA in hex. The rack takes the region's CA from the TLS handshake only when it has that sum.
 */
export const RACK_PROTOCOL = 1;

/** Where a region listens for racks of other hosts unless told. */
export const RACK_TLS_PORT = 5250;

export const EnrollmentToken = z.string().regex(/^[A-Za-z0-9_-]{20,128}\.[0-9a-f]{64}$/);

export const BootEntry = z.object({
  systemId: z.string(),
  hostname: z.string(),
  macs: z.array(z.string()),
  target: z.enum(['ephemeral', 'local', 'poweroff']),
  /** Open attempt, for the ticket; null = no ticket may be issued, unless `enlist` says so. */
  attempt: z.number().int().nullable(),
  /** A New machine without an attempt that boots by itself may report itself again (ticket with attempt null). */
  enlist: z.boolean().optional(),
  architecture: z.string(),
  kernelOptions: z.string(),
});
export type BootEntry = z.infer<typeof BootEntry>;

export const SnapshotSubnet = z.object({
  id: z.number().int(),
  cidr: z.string(),
  gateway: z.string().nullable(),
  dnsServers: z.array(z.string()),
  pools: z.array(z.object({ start: z.string(), end: z.string() })),
  reservations: z.array(z.object({ mac: z.string(), ip: z.string(), hostname: z.string() })),
});
export type SnapshotSubnet = z.infer<typeof SnapshotSubnet>;

/**
 * Who gives out addresses in a VLAN and says what to boot. `on`: the rack does both. `proxy`: another DHCP server gives
 * addresses, the rack only says what to boot. `relay`: an agent there relays to the rack of another VLAN, which does both.
 */
export const DhcpMode = z.enum(['on', 'proxy', 'relay', 'off']);
export type DhcpMode = z.infer<typeof DhcpMode>;

/** One of the two DHCP servers of a VLAN that stands in for the other. */
export const DhcpPeer = z.object({
  rack: z.string(),
  role: z.enum(['primary', 'standby']),
  /** Of the rack in that VLAN, without prefix. */
  address: z.string(),
  /** PEM, self-signed; the one by which the other believes it. */
  certificate: z.string(),
});
export type DhcpPeer = z.infer<typeof DhcpPeer>;

export const SnapshotVlan = z.object({
  id: z.number().int(),
  vid: z.number().int(),
  name: z.string(),
  dhcp: DhcpMode,
  /** With `relay`: the VLAN whose racks answer. */
  relayVlan: z.number().int().optional(),
  /** The racks that serve it; a rack that is not among them keeps silent there. Missing: any rack that stands in it. */
  racks: z.array(z.string()).optional(),
  /** Both, or none: then each rack of the VLAN has its addresses for itself. */
  peers: z.array(DhcpPeer).max(2).optional(),
  mtu: z.number().int(),
  subnets: z.array(SnapshotSubnet),
});
export type SnapshotVlan = z.infer<typeof SnapshotVlan>;

export const BootImage = z.object({
  architecture: z.string(),
  kernel: z.object({ sha256: z.string(), size: z.number() }),
  initrd: z.object({ sha256: z.string(), size: z.number() }),
  squashfs: z.object({ sha256: z.string(), size: z.number() }),
});
export type BootImage = z.infer<typeof BootImage>;

/**
 * How UEFI machines come to their kernel: iPXE, or shim, signed GRUB and signed kernel for machines that enforce Secure Boot.
 */
export const UefiBootChain = z.enum(['ipxe', 'signed']);
export type UefiBootChain = z.infer<typeof UefiBootChain>;

export const Snapshot = z.object({
  version: z.number().int(),
  vlans: z.array(SnapshotVlan),
  machines: z.array(BootEntry),
  ephemeral: z.array(BootImage),
  /** Unknown MACs are offered enlistment. */
  enlist: z.boolean(),
  /** Extra kernel options for every ephemeral boot, e.g. console=ttyS0,115200. */
  kernelOptions: z.string(),
  /** Missing from an older region: `ipxe`. */
  uefiBootChain: UefiBootChain.optional(),
});
export type Snapshot = z.infer<typeof Snapshot>;

export const PowerWork = z.object({
  id: z.number().int(),
  kind: z.literal('power'),
  systemId: z.string(),
  attempt: z.number().int().nullable(),
  generation: z.number().int(),
  action: z.enum(['on', 'off', 'cycle', 'query']),
  soft: z.boolean(),
  /** Boot device to arm before on and cycle. */
  bootFrom: z.enum(['network', 'disk']).nullable(),
  firmware: z.enum(['bios', 'uefi', 'auto']),
  powerType: z.string(),
  /** SMBIOS UUID: tells the machine's system among several behind one BMC. Absent from an older region. */
  hardwareUuid: z.string().nullable().optional(),
  /** With secrets: held in memory only. */
  parameters: z.record(z.string(), z.string()),
});
export type PowerWork = z.infer<typeof PowerWork>;

export const PowerOutcome = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), state: z.enum(['on', 'off', 'unknown', 'error']) }),
  z.object({
    ok: z.literal(false),
    class: z.enum(['auth', 'setting', 'tool', 'fatal', 'connection', 'action']),
    message: z.string(),
  }),
]);
export type PowerOutcome = z.infer<typeof PowerOutcome>;

export const EvidenceKind = z.enum([
  'power.call',
  'dhcp.lease',
  /** The foreign server of a VLAN in proxy mode gives the address, the rack told what to boot. */
  'dhcp.proxy',
  'tftp.read',
  'http.read',
  'boot.script',
  'boot.refused',
  'agent.forward',
  'console',
]);

export const Evidence = z.object({
  kind: EvidenceKind,
  /** Empty when the rack does not know the MAC. */
  mac: z.string(),
  address: z.string(),
  systemId: z.string().nullable(),
  attempt: z.number().int().nullable(),
  /** One readable line, e.g. "GET /boot.ipxe 200 1.2 ms". */
  text: z.string().max(1024),
  /** Milliseconds before the message was sent; the region stamps. */
  agoMs: z.number(),
  /** Bytes, file names, ports … small. */
  /**
   * Bytes, file names, ports … small. What moves phases: boot.script carries `decision` (ephemeral, local, poweroff),
   * http.read `path` and `bytes`, by which the region knows the file and whether it went out whole.
   */
  data: z.record(z.string(), z.unknown()),
});
export type Evidence = z.infer<typeof Evidence>;

export const RackInterface = z.object({
  name: z.string(),
  mac: z.string(),
  /** In CIDR form, 10.77.0.1/24, so that the region can learn subnets from a new rack. */
  addresses: z.array(z.string()),
  up: z.boolean(),
});
export type RackInterface = z.infer<typeof RackInterface>;

/** POST /rack/v1/enroll, once per rack with a one-time token; 204 when taken. `publicKey` as in hello. */
export const EnrollRequest = z.object({
  token: z.string().max(256),
  rack: z.string(),
  name: z.string(),
  publicKey: z.string(),
});
export type EnrollRequest = z.infer<typeof EnrollRequest>;

/** A DHCP server that is none of ours, as a rack's probe heard it. */
export const ForeignDhcpServer = z.object({ address: z.string().max(45), mac: z.string().max(17) });
export type ForeignDhcpServer = z.infer<typeof ForeignDhcpServer>;

/** A subnet's dynamic addresses as its DHCP server counts them. */
export const PoolState = z.object({
  subnetId: z.number().int(),
  addresses: z.number().int(),
  given: z.number().int(),
  /** How often since the last report a machine asked and no address was left. */
  refused: z.number().int(),
});
export type PoolState = z.infer<typeof PoolState>;

export const ToRegion = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocols: z.array(z.number().int()),
    rack: z.string(),
    name: z.string(),
    version: z.string(),
    interfaces: z.array(RackInterface),
    snapshotVersion: z.number().int().nullable(),
    /** Ed25519 public key, base64 of its SPKI DER. Needed for the first contact over the unix socket. */
    publicKey: z.string().max(256).optional(),
    /** PEM of the rack's own TLS certificate, by which the other rack of a VLAN believes it. */
    certificate: z.string().max(4096).optional(),
  }),
  z.object({ type: z.literal('snapshot.applied'), version: z.number().int(), error: z.string().nullable() }),
  z.object({ type: z.literal('evidence'), items: z.array(Evidence).max(500) }),
  z.object({
    type: z.literal('leases'),
    items: z
      .array(
        z.object({
          ip: z.string(),
          mac: z.string(),
          hostname: z.string(),
          subnetId: z.number().int(),
          expiresInSeconds: z.number(),
        }),
      )
      .max(2000),
  }),
  /** Repeated until answered by work.ack, also after a reconnect. */
  z.object({ type: z.literal('work.done'), id: z.number().int(), outcome: PowerOutcome }),
  /** `foreign` holds each VLAN that was probed since the last report, and all that was heard there. */
  z.object({
    type: z.literal('dhcp'),
    foreign: z.array(z.object({ vlanId: z.number().int(), servers: z.array(ForeignDhcpServer).max(16) })).max(500),
    pools: z.array(PoolState).max(2000),
  }),
  z.object({
    type: z.literal('health'),
    services: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  }),
]);
export type ToRegion = z.infer<typeof ToRegion>;

export const ToRack = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), protocol: z.number().int(), epoch: z.number().int() }),
  z.object({ type: z.literal('snapshot'), snapshot: Snapshot }),
  /** One machine's boot entry changed; null = forget the machine. */
  z.object({
    type: z.literal('machine'),
    version: z.number().int(),
    systemId: z.string(),
    entry: BootEntry.nullable(),
  }),
  z.object({ type: z.literal('work'), work: PowerWork }),
  z.object({ type: z.literal('work.ack'), id: z.number().int() }),
]);
export type ToRack = z.infer<typeof ToRack>;
