import type { Inventory } from '@ingot/contract/agent.ts';
import type { HardwareFacts } from '@ingot/core/hardware/facts.ts';
import { resourcesDocument } from '@ingot/core/hardware/resources.ts';
import { sql, type Transaction } from 'kysely';
import { RESULT_STATUS } from '../../lifecycle/result-status.ts';
import type { Tables } from '../../store/schema.ts';
import { boundedStream } from '../bounded-stream.ts';

/** A script's result as the inventory tells it. */
export interface Told {
  name: string;
  stdout: string;
  /** Why it failed; empty when it passed. */
  stderr: string;
}

/**
 * Results of the built-in scripts that only tell what the inventory says, as their readers know them. Made here, a machine
 * sends what it found once and spends none of its slow seconds on telling it again. `architecture` in Debian's words.
 */
export function toldByInventory(inventory: Inventory, facts: HardwareFacts, architecture: string): Told[] {
  const resources = resourcesDocument(facts, kernelArchitecture(architecture), inventory.kernelRelease ?? '');
  const { lshwXml, modaliases, cmdline } = inventory;
  return [
    passed('20-maas-03-machine-resources', json(resources)),
    passed('40-maas-01-machine-config-hints', json({ platform: platformOf(inventory.dmi), tags: [] })),
    commissioning(resources, inventory.extra ?? {}),
    lshwXml === '' ? { name: 'maas-lshw', stdout: '', stderr: 'lshw gave no output.\n' } : passed('maas-lshw', lshwXml),
    passed('maas-list-modaliases', `${modaliases.join('\n')}\n`),
    passed('maas-kernel-cmdline', `${cmdline}\n`),
    passed('maas-serial-ports', serialPorts(inventory)),
    passed('maas-support-info', supportInfo(inventory)),
  ];
}

/** Ports with a chip behind them. */
function serialPorts({ support }: Inventory): string {
  const lines = (support?.serial ?? '').split('\n').filter((line) => !line.includes('uart:unknown'));
  return `${lines.join('\n')}\n`;
}

/** What someone who is asked for help wants to see first. */
function supportInfo(inventory: Inventory): string {
  const { support } = inventory;
  const sections: [string, string | undefined][] = [
    ['KERNEL', inventory.kernelRelease],
    ['KERNEL COMMAND LINE', inventory.cmdline],
    ['PROCESSORS', inventory.cpuinfo],
    ['MEMORY', inventory.meminfo],
    ['PCI DEVICES', inventory.lspci],
    ['USB DEVICES', support?.lsusb],
    ['MODALIASES', inventory.modaliases.join('\n')],
    ['SERIAL PORTS', support?.serial],
    ['NETWORK', inventory.ipAddress],
    ['BLOCK DEVICES', inventory.lsblk],
    ['DMI DATA', support?.dmidecode],
    ['KERNEL MESSAGES', support?.dmesg],
  ];
  return sections
    .map(([title, body]) => `-----BEGIN ${title}-----\n${(body ?? '').trimEnd()}\n-----END ${title}-----\n`)
    .join('\n');
}

/** The resources document with what custom scripts left for storage and machine. */
function commissioning(resources: object, extra: NonNullable<Inventory['extra']>): Told {
  const name = '50-maas-01-commissioning';
  try {
    const document = {
      ...resources,
      ...(extra.storage ? { 'storage-extra': JSON.parse(extra.storage) } : {}),
      ...(extra.machine ? { 'machine-extra': JSON.parse(extra.machine) } : {}),
    };
    return passed(name, json(document));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { name, stdout: json(resources), stderr: `What a custom script left for this one is no JSON: ${why}\n` };
  }
}

function platformOf(dmi: Inventory['dmi']): string {
  const dgx = /^nvidia/i.test(dmi['system-manufacturer'] ?? '') && /dgx/i.test(dmi['system-product-name'] ?? '');
  return dgx ? 'nvidia-dgx' : 'generic';
}

/** `uname -m` of an architecture such as `amd64/generic`. */
function kernelArchitecture(architecture: string): string {
  const [debian = ''] = architecture.split('/');
  return debian === 'amd64' ? 'x86_64' : debian === 'arm64' ? 'aarch64' : debian;
}

const json = (document: object) => `${JSON.stringify(document)}\n`;
const passed = (name: string, stdout: string): Told => ({ name, stdout, stderr: '' });

/** Stores these results in a set, in one statement; returns each with its status before and after. */
export async function storeTold(
  trx: Transaction<Tables>,
  setId: number,
  told: readonly Told[],
): Promise<{ name: string; disk: null; status: number; after: number }[]> {
  const statuses = told.map(({ stderr }) => (stderr === '' ? RESULT_STATUS.passed : RESULT_STATUS.failed));
  const exits = told.map(({ stderr }) => (stderr === '' ? 0 : 1));
  const stdout = told.map((one) => boundedStream(Buffer.from(one.stdout)));
  const stderr = told.map((one) => boundedStream(Buffer.from(one.stderr)));
  const combined = told.map((one) => boundedStream(Buffer.from(one.stdout + one.stderr)));
  const { rows } = await sql<{ name: string; status: number; after: number }>`
    UPDATE script_results r
    SET status = told.status, exit_status = told.exit, output = told.combined, stdout = told.stdout, stderr = told.stderr,
      result = '', started = coalesce(r.started, now()), ended = now(), updated = now()
    FROM script_results before,
      unnest(${told.map(({ name }) => name)}::text[], ${statuses}::int[], ${exits}::int[], ${combined}::bytea[],
        ${stdout}::bytea[], ${stderr}::bytea[]) AS told (name, status, exit, combined, stdout, stderr)
    WHERE before.id = r.id AND r.set_id = ${setId} AND r.builtin AND r.name = told.name
    RETURNING r.name, before.status, r.status AS after`.execute(trx);
  return rows.map((row) => ({ ...row, disk: null }));
}
