import type { Inventory } from '@ingot/contract/agent.ts';
import { createDice } from './dice.ts';

/** What a simulated machine is made of; all of it has to reappear in the API. */
export interface SimulatedHardware {
  firmware: 'bios' | 'uefi';
  cores: number;
  memoryMib: number;
  disk: { name: string; serial: string; bytes: number };
  serial: string;
  uuid: string;
  /** The first one boots. */
  macs: [string, ...string[]];
  processor: string;
}

const GIB = 2 ** 30;

/** `index` tells the machines of one seed apart; odd ones have BIOS, even ones UEFI, unless told. */
export function rollHardware(seed: number, index: number, firmware?: 'bios' | 'uefi'): SimulatedHardware {
  const dice = createDice(seed * 7919 + index);
  // Locally administered, with the index in it: no two machines of a site share one.
  const prefix = `52:54:${dice.hex(2)}:${index
    .toString(16)
    .padStart(4, '0')
    .replace(/(..)(..)/, '$1:$2')}`;
  const nvme = dice.next() < 0.5;
  return {
    firmware: firmware ?? (index % 2 === 0 ? 'uefi' : 'bios'),
    cores: dice.between(1, 16) * 2,
    memoryMib: dice.between(2, 64) * 1024,
    disk: {
      name: nvme ? 'nvme0n1' : 'sda',
      serial: `D${dice.hex(11).toUpperCase()}`,
      bytes: dice.between(32, 960) * GIB,
    },
    serial: `S${dice.hex(9).toUpperCase()}`,
    uuid: `${dice.hex(8)}-${dice.hex(4)}-4${dice.hex(3)}-a${dice.hex(3)}-${dice.hex(12)}`,
    macs: [`${prefix}:01`, `${prefix}:02`],
    processor: dice.pick(['Xeon Silver 4310', 'EPYC 7313', 'Xeon E-2314', 'EPYC 9124']),
  };
}

/** The tools' outputs as the agent in such a machine would send them. */
export function inventoryOf(hardware: SimulatedHardware, address: string): Inventory {
  const { macs, disk } = hardware;
  const cpu = (index: number) => `processor\t: ${index}\nmodel name\t: ${hardware.processor}\ncpu MHz\t\t: 2600.0\n`;
  return {
    firmware: hardware.firmware,
    lshwXml: `<list><node id="simulated" class="system"><serial>${hardware.serial}</serial></node></list>`,
    lsblk: JSON.stringify({
      blockdevices: [
        {
          name: disk.name,
          kname: disk.name,
          type: 'disk',
          size: disk.bytes,
          ro: false,
          rm: false,
          serial: disk.serial,
          model: 'Simulated disk',
          'log-sec': 512,
        },
      ],
    }),
    ipAddress: JSON.stringify(
      macs.map((mac, port) => ({
        ifname: `eno${port + 1}`,
        link_type: 'ether',
        address: mac,
        mtu: 1500,
        addr_info: port === 0 ? [{ family: 'inet', local: address, prefixlen: 24, scope: 'global' }] : [],
      })),
    ),
    dmi: {
      'system-manufacturer': 'Simulated',
      'system-product-name': 'One of many',
      'system-serial-number': hardware.serial,
      'system-uuid': hardware.uuid,
      'bios-vendor': 'Simulated firmware',
      'bios-version': '1.0',
    },
    cpuinfo: Array.from({ length: hardware.cores }, (_, index) => cpu(index)).join('\n'),
    meminfo: `MemTotal:       ${hardware.memoryMib * 1024} kB\n`,
    lspci: '',
    ethernet: macs.map((mac, port) => ({
      name: `eno${port + 1}`,
      mac,
      driver: 'sim',
      vendor: 'Simulated',
      product: '25G port',
      firmware: '1.0',
      linkDetected: port === 0,
      speedMbps: port === 0 ? 25_000 : 0,
      maxSpeedMbps: 25_000,
    })),
    lldp: '',
    modaliases: [],
    cmdline: `quiet BOOTIF=01-${macs[0].replaceAll(':', '-')}`,
    diskLinks: { [disk.name]: `sim-${disk.serial}` },
  };
}
