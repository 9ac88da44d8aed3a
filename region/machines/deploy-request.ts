import type { Command } from '@ingot/core/machine/model.ts';
import type { Kysely, Transaction } from 'kysely';
import type { Applied, Caller, RegionDeps } from '../deps.ts';
import { findDeployImage } from '../images/catalogue.ts';
import { NotFound } from '../store/not-found.ts';
import { Problem } from '../store/problem.ts';
import type { Tables } from '../store/schema.ts';
import { sealedIdentity } from '../store/sealed-identity.ts';
import { readSettings } from '../store/settings.ts';
import { deployPlanOf, refusalsOf } from './deploy-plan.ts';

export const USER_DATA_LIMIT = 2 ** 20;

export interface DeployRequest {
  /** "debian/bookworm", "bookworm", "debian" (its newest release), or empty for the site's default. */
  image?: string;
  hweKernel?: string;
  ephemeral?: boolean;
  agentName?: string;
  comment?: string;
  /** Raw bytes for cloud-init; null = none. At most 1 MiB. */
  userData: Buffer | null;
}

/** What a word for an image means for a machine's architecture. `available` = such an image is in the store. */
export interface ChosenImage {
  os: string;
  release: string;
  available: boolean;
}

/**
 * Reads "os/release", "release" or "os" against the store. A name that no image has is answered with what it literally
 * says, not available, so that the refusal can name it. `architecture` is "amd64/generic" or "amd64".
 */
export async function chooseImage(
  db: Kysely<Tables>,
  image: string | undefined,
  architecture: string,
): Promise<ChosenImage> {
  const settings = await readSettings(db);
  const wanted = image?.trim() || `${settings.default_osystem}/${settings.default_distro_series}`;
  const found = await findDeployImage(db, wanted, architecture.split('/')[0] ?? '');
  if (found) return { ...found, available: true };
  const [first = '', second] = wanted.split('/', 2);
  return second
    ? { os: first, release: second, available: false }
    : { os: settings.default_osystem, release: first, available: false };
}

/**
 * Deploys a machine: chooses the image, stores the user data sealed and applies the command, all or nothing. Both APIs
 * come through here. Throws NotFound, and Problem for user data beyond its limit.
 */
export async function requestDeploy(
  deps: RegionDeps,
  systemId: string,
  request: DeployRequest,
  actor: Command['actor'],
  caller: Caller,
): Promise<Applied> {
  if (request.userData && request.userData.length > USER_DATA_LIMIT) {
    const params = { size: request.userData.length, limit: USER_DATA_LIMIT };
    throw new Problem('user_data.too_large', params, { field: 'userData' });
  }
  const machine = await deps.db
    .selectFrom('machines')
    .select(['id', 'architecture'])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!machine) throw new NotFound('machine', systemId);
  const chosen = await chooseImage(deps.db, request.image, machine.architecture);
  const plan = await deployPlanOf(deps.db, systemId, chosen, request.ephemeral ?? false);
  const sealed =
    request.userData === null ? null : deps.sealer.seal(request.userData, sealedIdentity.userData(machine.id));
  return deps.door.apply(
    systemId,
    {
      type: 'deploy',
      actor,
      osystem: chosen.os,
      distroSeries: chosen.release,
      imageAvailable: chosen.available,
      obstacles: refusalsOf(plan),
      hweKernel: request.hweKernel,
      ephemeral: request.ephemeral,
      agentName: request.agentName,
      comment: request.comment,
    },
    caller,
    (trx) => storeUserData(trx, machine.id, sealed),
  );
}

/**
 * Written under the row's lock before the decision, but only where a deployment can begin: a refused request must not
 * change what a deployed machine is given at its next boot.
 */
async function storeUserData(trx: Transaction<Tables>, machineId: number, sealed: Buffer | null): Promise<boolean> {
  await trx
    .updateTable('machines')
    .set({ user_data: sealed })
    .where('id', '=', machineId)
    .where('status', 'in', ['READY', 'ALLOCATED'])
    .execute();
  return true;
}
