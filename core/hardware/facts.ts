import { type DiskFact, disksFromLsblk } from './disks.ts';
import { type HardwareInfo, hardwareInfo, hardwareUuid } from './dmi.ts';
import { type InterfaceFact, interfacesFromInventory } from './interfaces.ts';
import type { InventoryText } from './inventory.ts';
import { memoryMibFromLshw, memoryMibFromMeminfo } from './memory.ts';
import { processorFacts } from './processor.ts';

/** What a machine is, as read from the outputs of its inventory tools. */
export interface HardwareFacts {
  firmware: 'bios' | 'uefi';
  /** Threads. */
  cpuCount: number;
  /** null when sockets differ or the kernel names none. */
  cpuModel: string | null;
  /** 0 = unknown. */
  cpuSpeedMhz: number;
  memoryMib: number;
  hardwareUuid: string | null;
  /** The 18 keys of the machine object; `Unknown` where the firmware says nothing. */
  hardwareInfo: HardwareInfo;
  /** The machine is virtual: the tag `virtual`. */
  virtual: boolean;
  interfaces: InterfaceFact[];
  disks: DiskFact[];
  numaNodes: {
    index: number;
    memory: number;
    cores: number[];
    hugepages_set: { page_size: number; total: number }[];
  }[];
  /** MAC the firmware booted from (`BOOTIF=` of the kernel command line), lower case. */
  bootMac: string | null;
  modaliases: string[];
  /** Outputs that could not be read; the facts they would give are missing above. */
  warnings: string[];
}

/** What an inventory must at least tell, missing from this one; null when all of it is there. */
export function unreadable(facts: HardwareFacts): string | null {
  const missing = [
    ...(facts.cpuCount > 0 ? [] : ['no processor']),
    ...(facts.memoryMib > 0 ? [] : ['no memory']),
    ...(facts.interfaces.length > 0 ? [] : ['no network interface']),
  ];
  return missing.length === 0 ? null : [`${missing.join(', ')} found`, ...facts.warnings].join('; ').slice(0, 1000);
}

/** More than any machine has; a list that is longer is cut, so that a machine cannot fill the database. */
const MAX_MODALIASES = 4096;

/** Read an inventory. Never throws: what cannot be read is named in `warnings`. Pure. */
export function factsFromInventory(inventory: InventoryText): HardwareFacts {
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const processor = processorFacts(inventory.cpuinfo);
  const fromLshw = memoryMibFromLshw(inventory.lshwXml, warn);
  const memoryMib = fromLshw > 0 ? fromLshw : memoryMibFromMeminfo(inventory.meminfo);
  return {
    firmware: inventory.firmware,
    cpuCount: processor.count,
    cpuModel: processor.model,
    cpuSpeedMhz: processor.speedMhz,
    memoryMib,
    hardwareUuid: hardwareUuid(inventory.dmi),
    hardwareInfo: hardwareInfo(inventory.dmi, processor.model),
    virtual: processor.hypervisor,
    interfaces: interfacesFromInventory(inventory, warn),
    disks: disksFromLsblk(inventory.lsblk, inventory.diskLinks ?? {}, warn),
    numaNodes: [
      { index: 0, memory: memoryMib, cores: Array.from({ length: processor.count }, (_, i) => i), hugepages_set: [] },
    ],
    bootMac: bootMac(inventory.cmdline),
    modaliases: inventory.modaliases.slice(0, MAX_MODALIASES),
    warnings,
  };
}

/** `BOOTIF=01-52-54-00-12-34-56` → `52:54:00:12:34:56`; null without one. The first pair is the ARP hardware type. */
export function bootMac(cmdline: string): string | null {
  const match = /(?:^|\s)BOOTIF=[0-9a-f]{2}-((?:[0-9a-f]{2}-){5}[0-9a-f]{2})(?:\s|$)/i.exec(cmdline);
  return match?.[1]?.toLowerCase().replaceAll('-', ':') ?? null;
}
