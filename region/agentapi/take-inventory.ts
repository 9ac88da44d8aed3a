import type { Inventory } from '@ingot/contract/agent.ts';
import { type HardwareFacts, unreadable } from '@ingot/core/hardware/facts.ts';
import { failure } from '@ingot/core/machine/catalogue.ts';
import type { Failure } from '@ingot/core/machine/model.ts';
import type { RegionDeps } from '../deps.ts';
import { writeEvents } from '../lifecycle/write-events.ts';
import { applyInventory } from './inventory/apply.ts';
import { storableFacts } from './inventory/facts.ts';
import { storeTold, toldByInventory } from './inventory/told.ts';
import { type AgentMachine, macHolders } from './machine-rows.ts';
import { statusEvents } from './result-events.ts';

/**
 * Takes the hardware report of a machine that is commissioned. One that tells too little to be a machine's is not stored:
 * the attempt fails with `inventory.invalid`, and with `machine.mac_in_use` when it has a MAC of another machine in use.
 */
export async function takeInventory(
  deps: RegionDeps,
  machine: AgentMachine,
  attemptId: number,
  inventory: Inventory,
  from: { address: string; mac: string },
): Promise<void> {
  const facts = storableFacts(inventory);
  const why = notAMachine(facts) ?? (await anotherOne(deps, machine, facts));
  if (why === null) return storeInventory(deps, machine, inventory, facts, from);
  const actor = { kind: 'agent' } as const;
  await deps.door.apply(machine.systemId, { type: 'agent-done', actor, attemptId, outcome: 'failed', failure: why });
}

function notAMachine(facts: HardwareFacts): Failure | null {
  const detail = unreadable(facts);
  return detail === null ? null : failure('inventory.invalid', { detail }, detail);
}

/** A card moves here from an idle machine. From one that is used it does not: then two machines have one MAC. */
async function anotherOne(deps: RegionDeps, machine: AgentMachine, facts: HardwareFacts): Promise<Failure | null> {
  const holders = await macHolders(
    deps.db,
    facts.interfaces.map(({ mac }) => mac),
  );
  const other = holders.find(({ systemId, busy }) => busy && systemId !== machine.systemId);
  if (!other) return null;
  const { mac, hostname, status } = other;
  return failure('machine.mac_in_use', { mac, machine: hostname }, `${hostname} (${status}) has an interface ${mac}`);
}

/**
 * Stores the hardware report together with the results of the scripts that only tell it, in one transaction: a machine
 * never shows the one without the other.
 */
async function storeInventory(
  deps: RegionDeps,
  machine: AgentMachine,
  inventory: Inventory,
  facts: HardwareFacts,
  from: { address: string; mac: string },
): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    // The door's order: first the machine's row, then what hangs on it.
    const row = await trx
      .selectFrom('machines')
      .select(['skip_networking', 'skip_storage', 'set_commissioning', 'architecture'])
      .where('id', '=', machine.id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const target = {
      machineId: machine.id,
      systemId: machine.systemId,
      address: from.address,
      bootMac: from.mac,
      skipNetworking: row.skip_networking,
      skipStorage: row.skip_storage,
    };
    await applyInventory(trx, target, facts);
    if (row.set_commissioning === null) return;
    const told = toldByInventory(inventory, facts, row.architecture);
    const changed = await storeTold(trx, row.set_commissioning, told);
    const events = changed.flatMap(({ after, ...result }) => statusEvents(machine, result, after));
    await writeEvents(trx, machine, events, { kind: 'agent' }, undefined);
  });
  deps.changes.announce();
  const { warnings } = facts;
  if (warnings.length > 0) deps.log.warn({ machine: machine.systemId, warnings }, 'inventory read with gaps');
}
