import type { MachineFacts } from '@ingot/core/machine/model.ts';
import { flatLayout } from '@ingot/core/storage/flat-layout.ts';
import * as z from 'zod';

/** What a machine cannot boot without; `agent` is the door of the ephemeral system, `boot-programs` its first files. */
const NEEDED = ['dhcp', 'tftp', 'http', 'agent', 'boot-programs'];

/** A connected rack that may serve the machine, as the facts query gives it. */
export interface ServingRack {
  name: string;
  services: unknown;
}

const Services = z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })).catch([]);

/** The service that is down, as long as no other rack could serve the machine instead. Null: it can boot. */
export function bootServiceDown(racks: readonly ServingRack[]): MachineFacts['bootServiceDown'] {
  const troubles = racks.map(({ name, services }) => {
    const down = Services.parse(services).find((service) => !service.ok && NEEDED.includes(service.name));
    return down === undefined ? null : { rack: name, service: down.name, detail: down.detail };
  });
  return troubles.includes(null) ? null : (troubles[0] ?? null);
}

/** Why the disk to install on cannot hold a system, in words; null when it can or when there is none. */
export function diskTooSmall(size: number | null, bootMethod: string | null): string | null {
  if (size === null) return null;
  const layout = flatLayout(size, bootMethod === 'uefi' ? 'uefi' : 'bios');
  return layout.ok ? null : layout.message;
}
