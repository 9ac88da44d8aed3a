import type { Inventory } from '@ingot/contract/agent.ts';
import { factsFromInventory, type HardwareFacts, unreadable } from '@ingot/core/hardware/facts.ts';
import { failure } from '@ingot/core/machine/catalogue.ts';
import type { Failure } from '@ingot/core/machine/model.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { RESULT_STATUS } from '../lifecycle/result-status.ts';
import { applyInventory } from './inventory/apply.ts';
import { type AgentMachine, macHolders } from './machine-rows.ts';

/** The script whose result stands for the hardware report. */
const REPORT = '50-maas-01-commissioning';

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
  const facts = factsFromInventory(inventory);
  const why = notAMachine(facts) ?? (await anotherOne(deps, machine, facts));
  if (why === null) return storeInventory(deps, machine, inventory, from);
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
 * Stores the hardware report together with the result of the script that stands for it, in one transaction: a machine
 * never shows the one without the other. Its output follows as any script's.
 */
async function storeInventory(
  deps: RegionDeps,
  machine: AgentMachine,
  inventory: Inventory,
  from: { address: string; mac: string },
): Promise<void> {
  const warnings = await deps.db.transaction().execute(async (trx) => {
    // The door's order: first the machine's row, then what hangs on it.
    const row = await trx
      .selectFrom('machines')
      .select(['skip_networking', 'skip_storage', 'set_commissioning'])
      .where('id', '=', machine.id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const found = await applyInventory(
      trx,
      {
        machineId: machine.id,
        systemId: machine.systemId,
        address: from.address,
        bootMac: from.mac,
        skipNetworking: row.skip_networking,
        skipStorage: row.skip_storage,
      },
      inventory,
    );
    if (row.set_commissioning !== null) {
      await trx
        .updateTable('script_results')
        .set({
          status: RESULT_STATUS.passed,
          exit_status: 0,
          started: sql<Date>`coalesce(started, now())`,
          ended: sql<Date>`now()`,
          updated: sql<Date>`now()`,
        })
        .where('set_id', '=', row.set_commissioning)
        .where('name', '=', REPORT)
        .where('status', 'in', [RESULT_STATUS.pending, RESULT_STATUS.running])
        .execute();
    }
    return found;
  });
  deps.changes.announce();
  if (warnings.length > 0) deps.log.warn({ machine: machine.systemId, warnings }, 'inventory read with gaps');
}
