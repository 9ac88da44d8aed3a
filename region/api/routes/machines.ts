import {
  Action,
  ActionRequest,
  AllocateRequest,
  MachineDetail,
  MachinePatch,
  MachineView,
  PowerParametersView,
  PowerStateView,
} from '@ingot/contract/native.ts';
import { matchesFilter, parseFilter } from '@ingot/core/filter/machine-filter.ts';
import { secretFieldsOf } from '@ingot/core/power/power-types.ts';
import * as z from 'zod';
import type { RegionDeps } from '../../deps.ts';
import { queryPower } from '../../lifecycle/power-work.ts';
import { requestDeploy } from '../../machines/deploy-request.ts';
import { readPowerParameters } from '../../store/power-parameters.ts';
import { allocateMachine } from '../allocate.ts';
import { checkKeys, commandOf, userDataOf } from '../command-of.ts';
import { failureFor, noSuch, refusedBy } from '../failure.ts';
import type { NativeParts } from '../parts.ts';
import { patchMachine } from '../patch-machine.ts';
import { actorOf, callerOf, type Principal } from '../principal.ts';
import { readDetail } from '../read/machine-detail.ts';
import { eachMachine, readMachines } from '../read/machines.ts';
import { JsonList, type Route, route, signedIn } from '../route.ts';
import { findMachine } from '../visible.ts';

const ById = z.object({ id: z.string().max(255) });

/** Room for 1.5 million characters of user data, each at worst six bytes as a JSON escape. */
const ACTION_BODY_LIMIT = 10 * 2 ** 20;

/** Below the 30 s after which clients give up on an answer. */
const POWER_QUERY_MS = 25_000;

export function machineRoutes(parts: NativeParts): Route[] {
  const viewOf = async (deps: RegionDeps, principal: Principal, systemId: string): Promise<MachineView> => {
    const [one] = await readMachines(deps.db, parts.typical, { systemIds: [systemId] }, principal, Date.now());
    if (!one) throw noSuch('machine', systemId);
    return one.view;
  };
  return [
    route(
      {
        method: 'GET',
        path: '/machines',
        operation: 'listMachines',
        summary:
          'Machines that the caller may see, sorted by hostname; filter: the language of core/filter. Attempts that have ended come without phases',
        access: 'user',
        query: z.strictObject({ filter: z.string().max(1024).optional() }),
        answer: z.array(MachineView),
      },
      async ({ deps, principal, query }) => {
        const filter = parseFilter(query.filter ?? '');
        if (!filter.ok) {
          throw failureFor('filter.invalid', { why: filter.message }, { field: 'filter', fix: filter.fix });
        }
        const list = new JsonList();
        await eachMachine(deps.db, parts.typical, signedIn(principal), Date.now(), (page) => {
          list.add(page.map((one) => one.view).filter((view) => matchesFilter(filter.terms, view)));
        });
        return list;
      },
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id',
        operation: 'readMachine',
        summary: 'One machine by system_id or hostname, with hardware, interfaces and disks',
        access: 'user',
        params: ById,
        answer: MachineDetail,
      },
      ({ deps, principal, params }) => readDetail(deps.db, parts.typical, params.id, signedIn(principal), Date.now()),
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/power-parameters',
        operation: 'readPowerParameters',
        summary: 'Power type and parameters without secrets',
        access: 'admin',
        params: ById,
        answer: PowerParametersView,
      },
      async ({ deps, principal, params }) => {
        const found = await findMachine(deps.db, signedIn(principal), params.id);
        const power = await readPowerParameters(deps, found.systemId);
        const secret = secretFieldsOf(power.type);
        const open = Object.entries(power.parameters).filter(([name]) => !secret.includes(name));
        return { powerType: power.type, parameters: Object.fromEntries(open) };
      },
    ),
    route(
      {
        method: 'POST',
        path: '/machines/:id/power-query',
        operation: 'queryPower',
        summary: 'Ask the BMC now; answers within 25 s, with the state last known if it does not',
        access: 'user',
        params: ById,
        answer: PowerStateView,
      },
      async ({ deps, principal, params }) => {
        const found = await findMachine(deps.db, signedIn(principal), params.id);
        return { powerState: await queryPower(deps, found.systemId, POWER_QUERY_MS) };
      },
    ),
    route(
      {
        method: 'POST',
        path: '/machines/:id/actions/:action',
        operation: 'actOnMachine',
        summary: 'Do something with a machine; refused with the first reason that explain gives. 204 after delete',
        access: 'user',
        params: z.object({ id: z.string().max(255), action: Action }),
        body: ActionRequest,
        answer: MachineView,
        bodyLimit: ACTION_BODY_LIMIT,
      },
      async ({ deps, principal, params, body, reply }) => {
        const who = signedIn(principal);
        const found = await findMachine(deps.db, who, params.id);
        checkKeys(params.action, body);
        const applied =
          params.action === 'deploy'
            ? await requestDeploy(
                deps,
                found.systemId,
                { image: body.image, userData: userDataOf(body), comment: body.comment },
                actorOf(who),
                callerOf(who),
              )
            : await deps.door.apply(found.systemId, commandOf(params.action, body, actorOf(who)), callerOf(who));
        if (!applied.ok) throw refusedBy(applied.refused);
        const [after] = await readMachines(deps.db, parts.typical, { systemIds: [found.systemId] }, who, Date.now());
        // Deleted; or released by somebody while it was being read. Either way there is nothing left to show.
        return after?.view ?? reply.code(204).send();
      },
    ),
    route(
      {
        method: 'POST',
        path: '/machines/allocate',
        operation: 'allocateMachine',
        summary: 'Take the first ready machine that meets every constraint; 409 when there is none',
        access: 'user',
        body: AllocateRequest,
        answer: MachineView,
      },
      async ({ deps, principal, body }) => {
        const who = signedIn(principal);
        return viewOf(deps, who, await allocateMachine(deps, who, body));
      },
    ),
    route(
      {
        method: 'PATCH',
        path: '/machines/:id',
        operation: 'updateMachine',
        summary: 'Change name, place, tags, description or power settings',
        access: 'admin',
        params: ById,
        body: MachinePatch,
        answer: MachineView,
      },
      async ({ deps, principal, params, body }) => {
        const who = signedIn(principal);
        const found = await findMachine(deps.db, who, params.id);
        await patchMachine(deps, found, body, who);
        return viewOf(deps, who, found.systemId);
      },
    ),
  ];
}
