import type { Command, ScriptChoice } from '@ingot/core/machine/model.ts';
import { requestDeploy } from '../../machines/deploy-request.ts';
import { writeUserData } from '../../store/user-data.ts';
import { json, type Reply, type UserCall } from '../table.ts';
import { badRequest, conflict } from '../wire/errors.ts';
import { checkbox, strictBoolean } from '../wire/scalars.ts';
import { has, lastOf, textOf } from '../wire/values.ts';
import { accepted, actorOf, applyOr404, callerOf, commentOf, perform } from './command.ts';
import { findMachine } from './find.ts';
import { oneMachine } from './list.ts';
import type { Permission } from './permissions.ts';
import { scriptNames, scriptParameters } from './script-choice.ts';

/** An operation that is one command without options of its own. Answers the whole machine. */
export function simple(permission: Permission, type: SimpleCommand) {
  return async (call: UserCall): Promise<Reply> => {
    const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', permission);
    await perform(call, machine.system_id, { type, actor: actorOf(call), comment: commentOf(call) });
    return await oneMachine(call.deps, machine.id);
  };
}

type SimpleCommand = Extract<
  Command['type'],
  'abort' | 'rescue' | 'exit-rescue' | 'mark-fixed' | 'override-failed-testing' | 'lock' | 'unlock'
>;

/** The options of commission, also taken by machine create. */
export function commissionCommand(call: UserCall): Command {
  return {
    type: 'commission',
    actor: actorOf(call),
    enableSsh: checkbox(call.values, 'enable_ssh'),
    skipBmcConfig: checkbox(call.values, 'skip_bmc_config'),
    skipNetworking: checkbox(call.values, 'skip_networking'),
    skipStorage: checkbox(call.values, 'skip_storage'),
    scripts: scriptsOf(call, {
      commissioning: scriptNames(call.values, 'commissioning_scripts', 'commissioning', false),
      testing: scriptNames(call.values, 'testing_scripts', 'testing', true),
    }),
    comment: commentOf(call),
  };
}

/** Undefined when nothing was chosen, so that core's defaults apply. */
function scriptsOf(call: UserCall, chosen: ScriptChoice): ScriptChoice | undefined {
  const parameters = scriptParameters(call.values);
  const names = Object.entries(chosen).filter(([, list]) => list !== undefined);
  if (names.length === 0 && parameters === undefined) return undefined;
  return { ...Object.fromEntries(names), parameters };
}

export async function commission(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'admin');
  await perform(call, machine.system_id, commissionCommand(call));
  return await oneMachine(call.deps, machine.id);
}

export async function test(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'admin');
  await perform(call, machine.system_id, {
    type: 'test',
    actor: actorOf(call),
    enableSsh: checkbox(call.values, 'enable_ssh'),
    scripts: scriptsOf(call, { testing: scriptNames(call.values, 'testing_scripts', 'testing', false) }),
    comment: commentOf(call),
  });
  return await oneMachine(call.deps, machine.id);
}

export async function deploy(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  for (const option of ['install_kvm', 'register_vmhost', 'install_rackd', 'enable_hw_sync', 'vcenter_registration']) {
    if (strictBoolean(call.values, option, false)) throw badRequest(`Invalid ${option}: not available on this server.`);
  }
  await startDeploy(call, machine.system_id, textOf(call.values, 'distro_series'));
  return await oneMachine(call.deps, machine.id);
}

async function startDeploy(call: UserCall, systemId: string, image: string | undefined): Promise<void> {
  const request = {
    image,
    hweKernel: textOf(call.values, 'hwe_kernel'),
    ephemeral: has(call.values, 'ephemeral_deploy') ? strictBoolean(call.values, 'ephemeral_deploy', false) : undefined,
    agentName: textOf(call.values, 'agent_name'),
    comment: commentOf(call),
    userData: userDataOf(call),
  };
  const apply = () => requestDeploy(call.deps, systemId, request, actorOf(call), callerOf(call));
  accepted('deploy', await applyOr404(apply));
}

/** Sent as base64; a text that is none is taken as it stands. Null when absent. */
function userDataOf(call: UserCall): Buffer | null {
  const text = lastOf(call.values, 'user_data');
  if (text === undefined || text === '') return null;
  const compact = text.replace(/\s/g, '');
  const isBase64 = compact.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(compact);
  return isBase64 ? Buffer.from(compact, 'base64') : Buffer.from(text, 'utf8');
}

export async function release(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  const flag = (name: string): boolean | undefined =>
    has(call.values, name) ? checkbox(call.values, name) : undefined;
  const [secureErase, quickErase] = [flag('secure_erase'), flag('quick_erase')];
  await perform(call, machine.system_id, {
    type: 'release',
    actor: actorOf(call),
    // Any of the three asks for erasing.
    erase: flag('erase') || secureErase || quickErase ? true : flag('erase'),
    secureErase,
    quickErase,
    scripts: scriptsOf(call, { release: scriptNames(call.values, 'scripts', 'release', true) }),
    comment: commentOf(call),
  });
  return await oneMachine(call.deps, machine.id);
}

export async function markBroken(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  const comment = commentOf(call) ?? textOf(call.values, 'error_description');
  await perform(call, machine.system_id, { type: 'mark-broken', actor: actorOf(call), comment });
  return await oneMachine(call.deps, machine.id);
}

/** In Allocated switching on means deploying; a machine that nobody owns is not switched on. */
export async function powerOn(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  if (machine.owner_id === null) throw conflict("Can't start node: it hasn't been allocated.");
  if (machine.status === 'ALLOCATED') {
    await startDeploy(call, machine.system_id, undefined);
    return await oneMachine(call.deps, machine.id);
  }
  await perform(call, machine.system_id, { type: 'power-on', actor: actorOf(call), comment: commentOf(call) });
  const data = userDataOf(call);
  if (data !== null) await writeUserData(call.deps, machine.system_id, data);
  return await oneMachine(call.deps, machine.id);
}

/** JSON null when nobody can be told to switch off. */
export async function powerOff(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'edit');
  const mode = textOf(call.values, 'stop_mode') ?? 'hard';
  if (mode !== 'hard' && mode !== 'soft') throw badRequest('Invalid stop_mode: Value must be one of: hard; soft');
  if (machine.power_type === 'manual' || machine.power_type === '') return json(null);
  const command: Command = { type: 'power-off', actor: actorOf(call), soft: mode === 'soft', comment: commentOf(call) };
  await perform(call, machine.system_id, command);
  return await oneMachine(call.deps, machine.id);
}

export async function remove(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'admin');
  await perform(call, machine.system_id, { type: 'delete', actor: actorOf(call) });
  return { kind: 'empty' };
}
