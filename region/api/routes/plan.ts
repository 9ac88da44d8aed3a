import { DeployPlanView, PlanRequest } from '@ingot/contract/plan.ts';
import { explain } from '@ingot/core/machine/explain.ts';
import * as z from 'zod';
import type { RegionDeps } from '../../deps.ts';
import { deployPlanOf } from '../../machines/deploy-plan.ts';
import { chooseImage } from '../../machines/deploy-request.ts';
import { seenByAsker } from '../../machines/seen-by-asker.ts';
import { noSuch } from '../failure.ts';
import { actorOf, type Principal } from '../principal.ts';
import { type Route, route, signedIn } from '../route.ts';
import { findMachine } from '../visible.ts';

const ById = z.object({ id: z.string().max(255) });
const summary = 'What a deployment would do to disks and network, and what speaks against it; nothing is touched';

export function planRoutes(): Route[] {
  const path = '/machines/:id/deploy/plan';
  const shape = { path, summary, access: 'user' as const, params: ById, answer: DeployPlanView };
  return [
    route(
      { ...shape, method: 'GET', operation: 'planDeployment', query: PlanRequest },
      async ({ deps, principal, params, query }) => planOf(deps, signedIn(principal), params.id, query.image),
    ),
    route(
      { ...shape, method: 'POST', operation: 'planDeploymentOf', body: PlanRequest },
      async ({ deps, principal, params, body }) => planOf(deps, signedIn(principal), params.id, body.image),
    ),
  ];
}

/** The lifecycle's own reasons come first: without a Ready machine the rest does not matter yet. */
async function planOf(
  deps: RegionDeps,
  who: Principal,
  name: string,
  image: string | undefined,
): Promise<DeployPlanView> {
  const found = await findMachine(deps.db, who, name);
  const loaded = await deps.door.load(found.systemId);
  if (!loaded) throw noSuch('machine', name);
  const state = await seenByAsker(deps.db, loaded, who.userId);
  const chosen = await chooseImage(deps.db, image, state.facts.architecture);
  const asked = { image: `${chosen.os}/${chosen.release}`, imageAvailable: chosen.available };
  const guards = explain(state, 'deploy', actorOf(who), asked);
  const plan = await deployPlanOf(deps.db, found.systemId, chosen);
  const said = new Set([...guards.reasons, ...guards.warnings].map(({ code }) => code));
  const findings = [
    ...guards.reasons.map((reason) => ({ severity: 'refusal' as const, ...reason })),
    ...plan.findings.filter(({ code }) => !said.has(code)),
    ...guards.warnings.map((warning) => ({ severity: 'warning' as const, ...warning })),
  ];
  return {
    image: asked.image,
    possible: !findings.some(({ severity }) => severity === 'refusal'),
    steps: plan.steps,
    findings: [
      ...findings.filter((one) => one.severity === 'refusal'),
      ...findings.filter((one) => one.severity === 'warning'),
    ],
  };
}
