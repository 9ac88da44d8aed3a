import type { Refusal } from '@ingot/core/machine/model.ts';
import { type DeployPlan, planDeploy } from '@ingot/core/plan/plan-deploy.ts';
import type { Kysely } from 'kysely';
import { deployImage } from '../images/catalogue.ts';
import { NotFound } from '../store/not-found.ts';
import type { Tables } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import { readPlanRows } from './plan-rows.ts';

/** What deploying this image on the machine would do, and what speaks against it. Throws NotFound for an unknown machine. */
export async function deployPlanOf(
  db: Kysely<Tables>,
  systemId: string,
  chosen: { os: string; release: string },
  ephemeral = false,
): Promise<DeployPlan> {
  const rows = await readPlanRows(db, systemId);
  if (rows === null) throw new NotFound('machine', systemId);
  const arch = rows.machine.architecture.split('/')[0] ?? '';
  const image = await deployImage(db, { os: chosen.os, release: chosen.release, arch });
  return planDeploy({
    machine: { ...rows.machine, ephemeral, kexec: (await readSettings(db)).kexec },
    image: image && { ...image, name: `${chosen.os}/${chosen.release}`, arch },
    disks: rows.disks,
    interfaces: rows.interfaces,
  });
}

/** The findings that stop a deployment. */
export function refusalsOf(plan: DeployPlan): Refusal[] {
  return plan.findings
    .filter(({ severity }) => severity === 'refusal')
    .map(({ code, message, fix }) => ({ code, message, fix }));
}
