import type { BmcReport } from '@ingot/contract/agent.ts';
import type { RegionDeps } from '../deps.ts';
import { appendEvidence } from '../evidence/rows.ts';
import { writePowerParameters } from '../store/power-parameters.ts';
import { subnetOf } from './machine-rows.ts';

/** Parameters that the agent's detection fills in; nothing else is believed. */
const IPMI_FIELDS = [
  'power_address',
  'power_user',
  'power_pass',
  'power_driver',
  'power_boot_type',
  'k_g',
  'cipher_suite_id',
  'privilege_level',
  'mac_address',
] as const;
const LONGEST_VALUE = 256;

/** `host`, `host:port` and `[v6]:port` → the address without port. */
export function bmcHost(address: string): string {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::\d{1,5})?$/.exec(address);
  if (bracketed) return bracketed[1] ?? '';
  const withPort = /^([^:]+):\d{1,5}$/.exec(address);
  return withPort?.[1] ?? address;
}

export type BmcCheck = { ok: true; parameters: Record<string, string> } | { ok: false; reason: string };

/** What of a report may be stored. The address must lie in a subnet we know, so that no machine points us elsewhere. */
export async function checkBmc(deps: Pick<RegionDeps, 'db'>, report: BmcReport): Promise<BmcCheck> {
  const parameters: Record<string, string> = {};
  for (const field of IPMI_FIELDS) {
    const value = report.parameters[field];
    if (value !== undefined && value.length <= LONGEST_VALUE) parameters[field] = value;
  }
  const host = bmcHost(parameters.power_address ?? '');
  if (!/^[0-9a-fA-F:.]{3,45}$/.test(host)) return { ok: false, reason: 'it has no numeric address' };
  const subnet = await subnetOf(deps.db, host).catch(() => null);
  return subnet ? { ok: true, parameters } : { ok: false, reason: `its address ${host} is in no known subnet` };
}

/** A BMC given by a person is not replaced by what the machine says; one of an earlier report is. */
async function mayReplace(deps: Pick<RegionDeps, 'db'>, systemId: string, host: string): Promise<boolean> {
  const row = await deps.db
    .selectFrom('machines')
    .select(['power_type', 'power_parameters'])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) return false;
  const known = row.power_parameters;
  const address =
    typeof known === 'object' && known !== null && 'power_address' in known ? String(known.power_address) : '';
  return row.power_type === '' || (row.power_type === 'ipmi' && (address === '' || bmcHost(address) === host));
}

/** Stores a reported BMC, or notes on the attempt why not. */
export async function storeBmc(
  deps: RegionDeps,
  systemId: string,
  attemptId: number | null,
  report: BmcReport,
): Promise<void> {
  const checked = await checkBmc(deps, report);
  const note = (text: string) =>
    appendEvidence(deps.db, [
      { attemptId, systemId, mac: '', agoMs: 0, phase: '', kind: 'agent.bmc', text, data: { type: report.powerType } },
    ]);
  if (!checked.ok) return note(`The reported BMC is not used: ${checked.reason}.`);
  const host = bmcHost(checked.parameters.power_address ?? '');
  if (!(await mayReplace(deps, systemId, host))) {
    return note(`The reported BMC ${host} is not used: other power parameters are set.`);
  }
  await writePowerParameters(deps, systemId, { type: report.powerType, parameters: checked.parameters });
  deps.changes.announce();
  await note(`BMC ${host} reported with user ${checked.parameters.power_user ?? '-'}.`);
}
