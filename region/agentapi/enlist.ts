import type { Enlist, EnlistReply } from '@ingot/contract/agent.ts';
import type { HardwareFacts } from '@ingot/core/hardware/facts.ts';
import { FAST_TRACK } from '@ingot/core/machine/draft.ts';
import { sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { attachEvidence } from '../evidence/rows.ts';
import { type CreatedMachine, createMachine, normaliseMac } from '../machines/create.ts';
import type { Forwarded } from '../racklink/forwarded.ts';
import type { Tables } from '../store/schema.ts';
import { type AgentRefusal, badRequest, refusedFor } from './agent-refusal.ts';
import { bmcHost, checkBmc, storeBmc } from './bmc.ts';
import { applyInventory } from './inventory/apply.ts';
import { storableFacts } from './inventory/facts.ts';
import { countNewOnVlan, macHolders, machineForAgent, newMachineOfBmc, subnetOf } from './machine-rows.ts';
import { type AgentSession, rememberClosing, rememberMachine } from './session-rows.ts';

/** Machines of one VLAN that may wait to be accepted. */
const WAITING_PER_VLAN = 64;
/** Any constant of our own: enlistments into one VLAN come one after the other. */
const LOCK_CLASS = 0x1460_7002;

export type Enlisted = { ok: true; reply: EnlistReply } | { ok: false; refusal: AgentRefusal };

interface Report {
  macs: string[];
  architecture: string;
  bmcHost: string | null;
  power: { type: string; parameters: Record<string, string> } | undefined;
}

/** What of the report may be used. The address it came from must hold a lease under one of its own MACs. */
async function readReport(deps: RegionDeps, enlist: Enlist, from: Forwarded): Promise<Report | AgentRefusal> {
  let macs: string[];
  try {
    macs = [...new Set(enlist.macAddresses.map(normaliseMac))];
  } catch {
    return badRequest('A MAC address of the report is none.');
  }
  const { mac } = from;
  if (mac === null || !macs.includes(mac)) return badRequest('The report does not name the MAC that holds the lease.');
  if (!/^[a-z0-9]{2,32}(\/[a-z0-9-]{1,32})?$/.test(enlist.architecture)) return badRequest('The architecture is none.');
  const checked = enlist.bmc ? await checkBmc(deps, enlist.bmc) : null;
  const parameters = checked?.ok ? checked.parameters : null;
  return {
    // The booting one first: it becomes the boot interface.
    macs: [mac, ...macs.filter((other) => other !== mac)],
    architecture: enlist.architecture.includes('/') ? enlist.architecture : `${enlist.architecture}/generic`,
    bmcHost: parameters ? bmcHost(parameters.power_address ?? '') : null,
    power: parameters && enlist.bmc ? { type: enlist.bmc.powerType, parameters } : undefined,
  };
}

type Found = { kind: 'known'; machine: { systemId: string; hostname: string } } | { kind: 'none' } | AgentRefusal;

/**
 * The machine that reports itself again: by its BMC, else by the MAC that holds the lease. One that was accepted long ago
 * does not enlist, and nobody enlists with a MAC of another machine: what it merely says takes nothing from others.
 */
async function findKnown(deps: RegionDeps, report: Report, facts: HardwareFacts): Promise<Found> {
  const [leased] = report.macs;
  const told = facts.interfaces.map(({ mac }) => mac);
  const holders = await macHolders(deps.db, [...new Set([...report.macs, ...told])]);
  const itself = holders.find(({ mac }) => mac === leased);
  if (itself && itself.status !== 'NEW') {
    const path = `It is ${itself.hostname} already; switch it off, its next boot is answered as that machine.`;
    return refusedFor('status.wrong', { action: 'Enlisting', status: itself.status, path });
  }
  const byBmc = report.bmcHost === null ? null : await newMachineOfBmc(deps.db, report.bmcHost);
  const machine = byBmc ?? itself;
  const other = holders.find(({ systemId }) => systemId !== machine?.systemId);
  if (other) return refusedFor('machine.mac_in_use', { mac: other.mac, machine: other.hostname });
  return machine ? { kind: 'known', machine } : { kind: 'none' };
}

async function create(
  deps: RegionDeps,
  trx: Transaction<Tables>,
  report: Report,
  from: Forwarded,
): Promise<CreatedMachine | AgentRefusal> {
  const vlanId = (await subnetOf(trx, from.client))?.vlanId ?? null;
  if (vlanId !== null) {
    await sql`SELECT pg_advisory_xact_lock(${LOCK_CLASS}, ${vlanId})`.execute(trx);
    const waiting = await countNewOnVlan(trx, vlanId);
    if (waiting >= WAITING_PER_VLAN) return refusedFor('enlist.limit', { count: waiting });
  }
  return createMachine(
    deps,
    { architecture: report.architecture, macAddresses: report.macs, power: report.power },
    trx,
  );
}

function isRefusal(value: object): value is AgentRefusal {
  return 'fix' in value && 'status' in value;
}

/**
 * Takes a machine in that nobody knew, or refreshes one that nobody has accepted yet. Everything it says is stored in one
 * transaction; that it has enlisted goes through the door afterwards. Asked again with the same session, it answers the same.
 */
export async function takeEnlistment(
  deps: RegionDeps,
  session: AgentSession,
  enlist: Enlist,
  from: Forwarded,
): Promise<Enlisted> {
  if (session.closing !== null && session.systemId !== null) {
    const machine = await machineForAgent(deps.db, session.systemId);
    const next = session.closing === 'stay' ? 'stay' : 'poweroff';
    if (machine) return { ok: true, reply: { machine: machine.systemId, hostname: machine.hostname, next } };
  }
  const report = await readReport(deps, enlist, from);
  if (isRefusal(report)) return { ok: false, refusal: report };
  const facts = storableFacts(enlist.inventory);
  const found = await findKnown(deps, report, facts);
  if (isRefusal(found)) return { ok: false, refusal: found };
  const stored = await deps.db.transaction().execute(async (trx) => {
    const machine = found.kind === 'known' ? found.machine : await create(deps, trx, report, from);
    if (isRefusal(machine)) return machine;
    const row = await trx
      .selectFrom('machines')
      .select(['id', 'status'])
      .where('system_id', '=', machine.systemId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.status !== 'NEW') return refusedFor('status.wrong', { action: 'Enlisting', status: row.status, path: '' });
    await trx.updateTable('machines').set({ architecture: report.architecture }).where('id', '=', row.id).execute();
    const target = {
      machineId: row.id,
      systemId: machine.systemId,
      address: from.client,
      bootMac: session.mac,
      skipNetworking: false,
      skipStorage: false,
    };
    await applyInventory(trx, target, facts);
    await rememberMachine(trx, session, machine.systemId);
    return { systemId: machine.systemId, hostname: machine.hostname };
  });
  if (isRefusal(stored)) return { ok: false, refusal: stored };
  deps.changes.announce();
  const applied = await deps.door.apply(stored.systemId, {
    type: 'enlisted',
    actor: { kind: 'rack', rackId: from.rackId },
  });
  if (!applied.ok) {
    const [first] = applied.refused;
    const refusal = first ? { status: 409, ...first } : badRequest('The machine could not enlist.');
    return { ok: false, refusal };
  }
  const attemptId = applied.machine.attempt?.id ?? null;
  if (attemptId !== null) await attachEvidence(deps.db, { attemptId, systemId: stored.systemId }, report.macs);
  // Also for a machine that is refreshed, and to say on the attempt why a BMC is not used.
  if (enlist.bmc) await storeBmc(deps, stored.systemId, attemptId, enlist.bmc);
  const next = applied.machine.waitingFor?.code === FAST_TRACK ? 'stay' : 'poweroff';
  await rememberClosing(deps.db, session, next);
  return { ok: true, reply: { machine: stored.systemId, hostname: stored.hostname, next } };
}
