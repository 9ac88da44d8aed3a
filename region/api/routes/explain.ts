import { Action, Explain } from '@ingot/contract/native.ts';
import { explain } from '@ingot/core/machine/explain.ts';
import type { MachineState } from '@ingot/core/machine/model.ts';
import * as z from 'zod';
import type { RegionDeps } from '../../deps.ts';
import { chooseImage } from '../../machines/deploy-request.ts';
import { seenByAsker } from '../../machines/seen-by-asker.ts';
import { noSuch } from '../failure.ts';
import { actorOf, type Principal } from '../principal.ts';
import { type Route, route, signedIn } from '../route.ts';
import { findMachine } from '../visible.ts';

const ById = z.object({ id: z.string().max(255) });
/** deploy: asked for this image instead of the site's default; release: with erasing. */
const Asked = z.strictObject({ image: z.string().max(256).optional(), erase: z.stringbool().optional() });

export function explainRoutes(): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/machines/:id/explain',
        operation: 'explainMachine',
        summary: 'For every action: may it be done now, and if not, every reason in causal order',
        access: 'user',
        params: ById,
        query: Asked,
        answer: z.array(Explain),
      },
      async ({ deps, principal, params, query }) => {
        const who = signedIn(principal);
        const machine = await stateOf(deps, who, params.id);
        return Promise.all(Action.options.map((action) => explainOne(deps, who, machine, action, query)));
      },
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/explain/:action',
        operation: 'explainAction',
        summary: 'May this action be done now, and if not, every reason in causal order',
        access: 'user',
        params: ById.extend({ action: Action }),
        query: Asked,
        answer: Explain,
      },
      async ({ deps, principal, params, query }) => {
        const who = signedIn(principal);
        return explainOne(deps, who, await stateOf(deps, who, params.id), params.action, query);
      },
    ),
  ];
}

async function stateOf(deps: RegionDeps, who: Principal, name: string): Promise<MachineState> {
  const found = await findMachine(deps.db, who, name);
  const machine = await deps.door.load(found.systemId);
  if (!machine) throw noSuch('machine', name);
  return seenByAsker(deps.db, machine, who.userId);
}

async function explainOne(
  deps: RegionDeps,
  who: Principal,
  machine: MachineState,
  action: Action,
  asked: z.output<typeof Asked>,
): Promise<Explain> {
  if (action !== 'deploy') return explain(machine, action, actorOf(who), { erase: asked.erase });
  const chosen = await chooseImage(deps.db, asked.image, machine.facts.architecture);
  return explain(machine, action, actorOf(who), {
    image: `${chosen.os}/${chosen.release}`,
    imageAvailable: chosen.available,
  });
}
