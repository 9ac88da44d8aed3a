import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import * as z from 'zod';

/** One virtual server as it stands in the rack: what a person could read on its label. */
export const MachineSpec = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/)
    .max(32),
  firmware: z.enum(['bios', 'uefi']),
  memoryMiB: z.number().int().min(512),
  cores: z.number().int().min(1),
  /** Whole MiB, so that every partitioning tool shows the same size. */
  diskMiB: z.number().int().min(64),
  serial: z.string(),
  uuid: z.string(),
  mac: z.string(),
  diskSerial: z.string().max(20),
  /** What the system disk hangs on. */
  diskBus: z.enum(['virtio', 'nvme']),
  /** UEFI: by which of its clients the firmware boots from the network. */
  networkBoot: z.enum(['pxe', 'http']),
  /** UEFI: the vendors' keys are enrolled, as in the factory, and what they did not sign does not start. */
  secureBoot: z.boolean(),
  /** How far its clock goes ahead of ours each time it is switched on; behind when negative. */
  clockOffSeconds: z.number().int(),
});
export type MachineSpec = z.infer<typeof MachineSpec>;

/** What `lab up --machines` accepts: everything but name and firmware may be left to chance. */
export const MachineWish = MachineSpec.partial().required({ name: true, firmware: true });
export type MachineWish = z.infer<typeof MachineWish>;

const MEMORY_STEP = 64;

/**
 * Fills in what the wish leaves open, new on each call: 1280–2048 MiB of memory, 1–2 cores, a disk of 4–6 GiB, and
 * serials and a MAC that no earlier run used, so that a value seen in the API can only have come from this machine.
 */
export function equip(wish: MachineWish): MachineSpec {
  const tail = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return {
    memoryMiB: 1280 + MEMORY_STEP * randomInt(0, (2048 - 1280) / MEMORY_STEP + 1),
    cores: randomInt(1, 3),
    // The flat layout wants a root of 3 GiB beside a 512 MiB system partition.
    diskMiB: randomInt(4 * 1024, 6 * 1024 + 1),
    serial: `LAB${randomBytes(5).toString('hex').toUpperCase()}`,
    uuid: randomUUID(),
    mac: `52:54:00:${tail}`,
    diskSerial: `D${randomBytes(6).toString('hex').toUpperCase()}`,
    diskBus: 'virtio',
    networkBoot: 'pxe',
    secureBoot: false,
    clockOffSeconds: 0,
    ...wish,
  };
}
