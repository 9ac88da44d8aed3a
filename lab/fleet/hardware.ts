import { createDice } from '../sim/dice.ts';
import { type DiskKind, type Processor, SERVER_MODELS, type ServerModel, SWITCH_MODELS } from './vendors.ts';

/** One machine of a fleet, as its seed and number made it. */
export interface FleetHardware {
  index: number;
  firmware: 'bios' | 'uefi';
  model: ServerModel;
  processor: Processor;
  sockets: number;
  memoryMib: number;
  disks: FleetDisk[];
  ports: [FleetPort, ...FleetPort[]];
  serial: string;
  uuid: string;
  bmc: { kind: 'ipmi' | 'redfish'; user: string; password: string };
  neighbour: { chassis: string; name: string; description: string; port: string; vlan: number };
}

export interface FleetDisk {
  name: string;
  kind: DiskKind;
  model: string;
  serial: string;
  bytes: number;
}

export interface FleetPort {
  name: string;
  mac: string;
  vendor: string;
  product: string;
  driver: string;
  mbps: number;
  linked: boolean;
}

const GIB = 2 ** 30;
const MACHINES_A_SWITCH = 40;

/** The same seed and index give the same machine for ever. `redfish` is the share with such a BMC, 0 … 1. */
export function rollFleetHardware(seed: number, index: number, vlan: number, redfish: number): FleetHardware {
  const dice = createDice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index, 0x85ebca6b));
  const model = dice.pick(SERVER_MODELS);
  const pick = <T>(choices: readonly T[]): T => {
    const [first, ...more] = choices;
    if (first === undefined) throw new RangeError('a server model without choices');
    return dice.pick([first, ...more]);
  };
  const serial = `${dice.hex(1).toUpperCase()}${dice.hex(6).toUpperCase()}${index.toString(36).toUpperCase().padStart(3, '0')}`;
  const counts = new Map<string, number>();
  const disks = pick(model.disks).flatMap((group) =>
    Array.from({ length: group.count }, (): FleetDisk => {
      const prefix = group.kind === 'nvme' ? 'nvme' : 'sd';
      const at = counts.get(prefix) ?? 0;
      counts.set(prefix, at + 1);
      const name = prefix === 'nvme' ? `nvme${at}n1` : `sd${String.fromCharCode(97 + at)}`;
      const wwn = `${dice.hex(10).toUpperCase()}${at}`;
      return { name, kind: group.kind, model: group.model, serial: wwn, bytes: group.gib * GIB };
    }),
  );
  // Locally administered, with the index in it: no two machines of a fleet share one.
  const mac = (port: number) =>
    [0x52, seed & 0xff, (index >> 16) & 0xff, (index >> 8) & 0xff, index & 0xff, port]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(':');
  const cards = pick(model.nics).flatMap((card, slot) =>
    Array.from({ length: card.ports }, (_, port) => ({
      ...card,
      name: slot === 0 ? `eno${port + 1}` : `ens${slot}f${port}`,
    })),
  );
  const [first, ...others] = cards.map(
    ({ name, vendor, product, driver, mbps }, port): FleetPort => ({
      name,
      mac: mac(port + 1),
      vendor,
      product,
      driver,
      mbps,
      linked: port === 0 || dice.next() < 0.5,
    }),
  );
  if (first === undefined) throw new RangeError(`${model.product} has no network card`);
  const rack = Math.floor((index - 1) / MACHINES_A_SWITCH) + 1;
  const top = SWITCH_MODELS[(seed + rack) % SWITCH_MODELS.length] ?? SWITCH_MODELS[0];
  return {
    index,
    firmware: dice.next() < 0.6 ? 'uefi' : 'bios',
    model,
    processor: pick(model.processors),
    sockets: pick(model.sockets),
    memoryMib: pick(model.memoryGib) * 1024,
    disks,
    ports: [first, ...others],
    serial,
    uuid: `${dice.hex(8)}-${dice.hex(4)}-4${dice.hex(3)}-a${dice.hex(3)}-${dice.hex(12)}`,
    bmc: { kind: dice.next() < redfish ? 'redfish' : 'ipmi', user: 'maas', password: dice.hex(16) },
    neighbour: {
      chassis: `00:1c:73:${(rack >> 8).toString(16).padStart(2, '0')}:${(rack & 255).toString(16).padStart(2, '0')}:01`,
      name: `leaf-${rack}`,
      description: top.description,
      port: `${top.port}${((index - 1) % MACHINES_A_SWITCH) + 1}`,
      vlan: vlan + 100,
    },
  };
}

/** Threads: two a core. */
export const threadsOf = ({ processor, sockets }: FleetHardware): number => processor.cores * sockets * 2;
