import { randomBytes } from 'node:crypto';
import type { Command } from '@ingot/core/machine/model.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../../deps.ts';
import { createMachine } from '../../machines/create.ts';

/** A site that can commission and deploy: a subnet, a connected rack, an ephemeral and a deployment image. */
export async function prepareSite(deps: RegionDeps): Promise<{ subnetId: number; vlanId: number }> {
  const { db } = deps;
  const vlan = await db.selectFrom('vlans').select('id').where('vid', '=', 0).executeTakeFirstOrThrow();
  await db.updateTable('vlans').set({ dhcp_on: true, primary_rack: 'rack01' }).where('id', '=', vlan.id).execute();
  const subnet = await db
    .insertInto('subnets')
    .values({
      name: 'lab',
      cidr: '10.77.0.0/24',
      vlan_id: vlan.id,
      gateway_ip: '10.77.0.1',
      dns_servers: ['10.77.0.2'],
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.insertInto('racks').values({ system_id: 'rack01', name: 'rack01', public_key: 'k' }).execute();
  await db.insertInto('rack_links').values({ rack_id: 'rack01', process: 'test', epoch: 1 }).execute();
  for (const [purpose, files] of [
    ['ephemeral', ['boot-kernel', 'boot-initrd', 'squashfs']],
    ['deploy', ['root-tar.zst']],
  ] as const) {
    const image = await db
      .insertInto('images')
      .values({ purpose, os: 'debian', release: 'bookworm', arch: 'amd64', version: '20260101', title: 'Debian 12' })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('image_files')
      .values(
        files.map((filetype) => ({
          image_id: image.id,
          filetype,
          sha256: randomBytes(32).toString('hex'),
          size: 1000,
        })),
      )
      .execute();
  }
  return { subnetId: subnet.id, vlanId: vlan.id };
}

export interface Made {
  id: number;
  systemId: string;
}

/** A machine with one interface in the subnet and one 8 GB disk, in NEW; power by hand unless told. */
export async function addMachine(
  deps: RegionDeps,
  site: { subnetId: number; vlanId: number },
  wanted: { hostname: string; cpuCount?: number; memory?: number; powerType?: string },
): Promise<Made> {
  const mac = `52:54:00:${(randomBytes(3).toString('hex').match(/../g) ?? []).join(':')}`;
  const made = await createMachine(deps, {
    hostname: wanted.hostname,
    architecture: 'amd64/generic',
    macAddresses: [mac],
    cpuCount: wanted.cpuCount ?? 2,
    memory: wanted.memory ?? 2048,
    power: {
      type: wanted.powerType ?? 'manual',
      parameters: wanted.powerType === 'ipmi' ? { power_address: '10.0.0.9', power_pass: 'secret' } : {},
    },
  });
  const nic = await deps.db
    .updateTable('interfaces')
    .set({ vlan_id: site.vlanId, link_speed: 1000 })
    .where('machine_id', '=', made.id)
    .returning('id')
    .executeTakeFirstOrThrow();
  await deps.db
    .insertInto('interface_links')
    .values({ interface_id: nic.id, mode: 'auto', subnet_id: site.subnetId })
    .execute();
  await deps.db
    .insertInto('block_devices')
    .values({
      machine_id: made.id,
      name: 'sda',
      model: 'QEMU',
      serial: wanted.hostname,
      size: 8_000_000_000,
      tags: ['ssd'],
    })
    .execute();
  return { id: made.id, systemId: made.systemId };
}

/** Applies a command as the machine's own agent and timers would, and fails loudly when it is refused. */
export async function happen(deps: RegionDeps, systemId: string, command: Command): Promise<void> {
  const applied = await deps.door.apply(systemId, command);
  if (!applied.ok) throw new Error(`${command.type} refused: ${JSON.stringify(applied.refused)}`);
}

/** What a rack would report about the outstanding power work. */
export async function powerWorks(deps: RegionDeps, systemId: string): Promise<void> {
  const state = await deps.door.load(systemId);
  if (state === null || state.powerWant === null) return;
  const now = state.powerWant === 'off' ? 'off' : 'on';
  await happen(deps, systemId, {
    type: 'power-result',
    actor: { kind: 'system' },
    attemptId: state.attempt?.id ?? null,
    generation: state.generation,
    outcome: { ok: true, state: now },
  });
}

/** Plays the agent of the open attempt to its good end. */
export async function agentSucceeds(deps: RegionDeps, systemId: string): Promise<void> {
  await powerWorks(deps, systemId);
  const state = await deps.door.load(systemId);
  const attemptId = state?.attempt?.id;
  if (attemptId === undefined) throw new Error('no attempt is open');
  const agent = { kind: 'agent' } as const;
  await happen(deps, systemId, { type: 'agent-session', actor: agent, attemptId });
  await sql`UPDATE script_results SET status = 2, exit_status = 0, started = now(), ended = now(), stdout = 'out'::bytea, output = 'out'::bytea
    WHERE set_id IN (SELECT s.id FROM script_sets s JOIN machines m ON m.id = s.machine_id WHERE m.system_id = ${systemId})`.execute(
    deps.db,
  );
  if (state?.attempt?.kind === 'deploy') {
    await happen(deps, systemId, { type: 'installed', actor: agent, attemptId });
    await happen(deps, systemId, { type: 'instance-user-data', actor: agent });
    return;
  }
  await happen(deps, systemId, { type: 'agent-done', actor: agent, attemptId, outcome: 'ok' });
  await powerWorks(deps, systemId);
}
