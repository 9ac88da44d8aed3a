import { instanceTokenOf } from '../../accounts/instance-tokens.ts';
import { readPowerParameters } from '../../store/power-parameters.ts';
import { allocate } from '../machines/allocate.ts';
import { setAnnotations } from '../machines/annotations.ts';
import * as collection from '../machines/collection.ts';
import { machineDetails } from '../machines/details.ts';
import { findMachine } from '../machines/find.ts';
import { createByForm, updateByForm } from '../machines/form.ts';
import { readMachineBody } from '../machines/list.ts';
import * as operations from '../machines/operations.ts';
import type { Permission } from '../machines/permissions.ts';
import { queryPower } from '../machines/power-query.ts';
import {
  anonymous,
  crud,
  json,
  named,
  type Operation,
  parameter,
  type Reply,
  type Resource,
  type UserCall,
} from '../table.ts';
import { MaasError } from '../wire/errors.ts';

const system = (call: UserCall): string => call.path.system_id ?? '';

const find = (call: UserCall, permission: Permission) => findMachine(call.deps.db, call.user, system(call), permission);

export async function readMachine(call: UserCall): Promise<Reply> {
  return await readMachineBody(call, system(call));
}

export async function readPower(call: UserCall): Promise<Reply> {
  const machine = await find(call, 'admin_read');
  return json((await readPowerParameters(call.deps, machine.system_id)).parameters);
}

export async function readDetails(call: UserCall): Promise<Reply> {
  const machine = await find(call, 'view');
  return { kind: 'bytes', contentType: 'application/bson', bytes: await machineDetails(call.deps.db, machine.id) };
}

async function readToken(call: UserCall): Promise<Reply> {
  const machine = await find(call, 'admin_read');
  const token = await instanceTokenOf(call.deps, machine.system_id);
  if (token === null) return json(null);
  return json({ token_key: token.tokenKey, token_secret: token.tokenSecret, consumer_key: token.consumerKey });
}

const comment = parameter('comment', 'Text for the event log.');
const scripts = (field: string, kind: string) =>
  parameter(field, `Names or tags of ${kind} scripts, separated by commas.`);
const enableSsh = parameter('enable_ssh', 'Let the owner log in by SSH and keep the machine on.', 'Boolean');
const userData = parameter('user_data', 'User-data for cloud-init, base64.');
const mac = parameter('mac_address', 'MAC address of an interface.', 'String', true);
const ids = parameter('id', 'System id; repeat for several.');

const DESCRIPTIVE = [
  parameter('hostname', 'Host name.'),
  parameter('description', 'Free text.'),
  parameter('domain', 'Name or id of the DNS domain.'),
  parameter('architecture', 'Architecture as arch/subarch.'),
  parameter('min_hwe_kernel', 'Oldest kernel it may run.'),
  parameter('power_type', 'How its power is switched.'),
  parameter('power_parameters', 'Parameters of the power type as a JSON object; power_parameters_NAME sets one.'),
  parameter('power_parameters_skip_check', 'Store power parameters without checking them.', 'Boolean'),
  parameter('zone', 'Name of the zone.'),
  parameter('pool', 'Name of the resource pool.'),
  parameter('cpu_count', 'Cores, while not yet detected.', 'Int'),
  parameter('memory', 'Memory in MiB, while not yet detected.', 'Int'),
];

const COMMISSION = [
  enableSsh,
  parameter('skip_bmc_config', 'Leave the BMC as it is.', 'Boolean'),
  parameter('skip_networking', 'Keep the network configuration.', 'Boolean'),
  parameter('skip_storage', 'Keep the storage layout.', 'Boolean'),
  scripts('commissioning_scripts', 'commissioning'),
  scripts('testing_scripts', 'testing'),
];

const FILTERS = [
  ids,
  parameter('hostname', 'Host name.'),
  parameter('mac_address', 'MAC address of an interface.'),
  parameter('domain', 'DNS domain.'),
  parameter('zone', 'Zone.'),
  parameter('pool', 'Resource pool.'),
  parameter('agent_name', 'Agent name given at allocation.'),
  parameter('tags', 'Tags that it must all have.'),
  parameter('not_tags', 'Tags of which it must have none.'),
  parameter('status', 'Status as a word, for example ready.'),
  parameter('owner', 'Owner.'),
  parameter('arch', 'Architecture.'),
  parameter('cpu_count', 'At least this many cores.', 'Float'),
  parameter('mem', 'At least this much memory in MiB.', 'Float'),
  parameter('power_state', 'on, off, unknown or error.'),
  parameter('subnets', 'Subnets that it must all be linked to.'),
  parameter('vlans', 'VLANs of which it is in one.'),
  parameter('fabrics', 'Fabrics of which it is in one.'),
];

const CONSTRAINTS = [
  parameter('name', 'Host name, with or without domain.'),
  parameter('system_id', 'System id.'),
  parameter('arch', 'Architecture.'),
  parameter('cpu_count', 'At least this many cores.', 'Float'),
  parameter('mem', 'At least this much memory in MiB.', 'Float'),
  parameter('tags', 'Tags that it must all have.'),
  parameter('not_tags', 'Tags of which it must have none.'),
  parameter('zone', 'Zone.'),
  parameter('not_in_zone', 'Zones that it must not be in.'),
  parameter('pool', 'Resource pool.'),
  parameter('not_in_pool', 'Pools that it must not be in.'),
  parameter('subnets', 'Subnets that it must all be linked to.'),
  parameter('not_subnets', 'Subnets that it must not be linked to.'),
  parameter('storage', 'Disks as label:size(tags), sizes in GB, the first one for the root.'),
  parameter('interfaces', 'Interfaces as label:key=value,key=value, labels separated by semicolons.'),
  parameter('agent_name', 'Stored on the machine; a filter of the list.'),
  comment,
  parameter('dry_run', 'Choose, but do not allocate.', 'Boolean'),
  parameter('verbose', 'Tell which disks and interfaces matched.', 'Boolean'),
];

/** Enlistment is done by Ingot's own agent through a rack; a machine cannot enter by an unsigned request. */
async function refuseEnlistment(): Promise<Reply> {
  throw new MaasError(403, 'Machines enlist through their rack: boot this machine from the network of a rack.');
}

const machineOperations: readonly Operation[] = [
  crud('GET', 'user', { title: 'Read a machine' }, readMachine),
  crud('PUT', 'user', { title: 'Change a machine', parameters: DESCRIPTIVE }, updateByForm),
  crud('DELETE', 'user', { title: 'Delete a machine' }, operations.remove),
  named(
    'POST',
    'commission',
    'user',
    { title: 'Commission a machine', body: 'Learn what it is.', parameters: COMMISSION },
    operations.commission,
  ),
  named(
    'POST',
    'test',
    'user',
    { title: 'Test a machine', parameters: [enableSsh, scripts('testing_scripts', 'testing')] },
    operations.test,
  ),
  named(
    'POST',
    'abort',
    'user',
    { title: 'Abort what is under way', parameters: [comment] },
    operations.simple('edit', 'abort'),
  ),
  named(
    'POST',
    'deploy',
    'user',
    {
      title: 'Deploy a machine',
      body: 'Write an operating system on it. A Ready machine is allocated first.',
      parameters: [
        parameter('distro_series', 'Image: release, os/release, or os.'),
        parameter('hwe_kernel', 'Kernel.'),
        userData,
        parameter('ephemeral_deploy', 'Run it from memory.', 'Boolean'),
        parameter('agent_name', 'Stored on the machine.'),
        comment,
      ],
    },
    operations.deploy,
  ),
  named(
    'POST',
    'release',
    'user',
    {
      title: 'Release a machine',
      parameters: [
        comment,
        parameter('erase', 'Erase its disks first.', 'Boolean'),
        parameter('secure_erase', "Use the disk's own secure erase.", 'Boolean'),
        parameter('quick_erase', 'Erase only the beginning and the end.', 'Boolean'),
        parameter('force', 'Accepted for compatibility; changes nothing.', 'Boolean'),
        scripts('scripts', 'release'),
      ],
    },
    operations.release,
  ),
  named('POST', 'lock', 'user', { title: 'Lock a machine', parameters: [comment] }, operations.simple('lock', 'lock')),
  named(
    'POST',
    'unlock',
    'user',
    { title: 'Unlock a machine', parameters: [comment] },
    operations.simple('lock', 'unlock'),
  ),
  named(
    'POST',
    'mark_broken',
    'user',
    {
      title: 'Mark a machine broken',
      parameters: [comment, parameter('error_description', 'What is wrong; same as comment.')],
    },
    operations.markBroken,
  ),
  named(
    'POST',
    'mark_fixed',
    'user',
    { title: 'Mark a broken machine fixed', parameters: [comment] },
    operations.simple('admin', 'mark-fixed'),
  ),
  named(
    'POST',
    'override_failed_testing',
    'user',
    { title: 'Ignore failed tests', parameters: [comment] },
    operations.simple('admin', 'override-failed-testing'),
  ),
  named('POST', 'rescue_mode', 'user', { title: 'Enter rescue mode' }, operations.simple('admin', 'rescue')),
  named('POST', 'exit_rescue_mode', 'user', { title: 'Leave rescue mode' }, operations.simple('admin', 'exit-rescue')),
  named(
    'POST',
    'power_on',
    'user',
    { title: 'Switch a machine on', parameters: [userData, comment] },
    operations.powerOn,
  ),
  named(
    'POST',
    'power_off',
    'user',
    { title: 'Switch a machine off', parameters: [parameter('stop_mode', 'hard or soft.'), comment] },
    operations.powerOff,
  ),
  named('GET', 'query_power_state', 'user', { title: 'Ask the BMC for the power state' }, async (call) =>
    json({ state: await queryPower(call.deps, await find(call, 'view')) }),
  ),
  named('GET', 'power_parameters', 'user', { title: 'Read power parameters, secrets included' }, readPower),
  named('GET', 'get_token', 'user', { title: "Read the machine's metadata token" }, readToken),
  named('GET', 'details', 'user', { title: 'Read what lshw and LLDP said, as BSON' }, readDetails),
  named(
    'POST',
    'set_owner_data',
    'user',
    { title: 'Set annotations (old name)', parameters: [parameter('key', 'Any key; an empty value deletes it.')] },
    setAnnotations,
  ),
  named(
    'POST',
    'set_workload_annotations',
    'user',
    { title: 'Set annotations', parameters: [parameter('key', 'Any key; an empty value deletes it.')] },
    setAnnotations,
  ),
];

const machinesOperations: readonly Operation[] = [
  crud('GET', 'user', { title: 'List machines', parameters: FILTERS }, collection.list),
  crud(
    'POST',
    'user',
    {
      title: 'Add a machine',
      parameters: [
        ...DESCRIPTIVE,
        parameter('mac_addresses', 'MAC addresses, the first one boots; repeat for several.'),
        parameter('commission', 'Commission it at once; on by default.', 'Boolean'),
        ...COMMISSION,
      ],
    },
    createByForm,
  ),
  named(
    'POST',
    'allocate',
    'user',
    { title: 'Allocate a machine', body: 'The smallest that fits.', parameters: CONSTRAINTS },
    allocate,
  ),
  named(
    'POST',
    'release',
    'user',
    { title: 'Release machines', parameters: [parameter('machines', 'System ids; repeat for several.'), comment] },
    collection.releaseMany,
  ),
  named(
    'POST',
    'accept',
    'user',
    { title: 'Accept machines', parameters: [parameter('machines', 'System ids; repeat for several.')] },
    collection.accept,
  ),
  named('POST', 'accept_all', 'user', { title: 'Accept all new machines' }, collection.acceptAll),
  named(
    'GET',
    'list_allocated',
    'user',
    { title: 'List own allocated machines', parameters: [ids] },
    collection.listAllocated,
  ),
  named(
    'GET',
    'power_parameters',
    'admin',
    { title: 'Read power parameters of machines', parameters: [ids] },
    collection.powerParametersOfMany,
  ),
  named('GET', 'is_registered', 'user', { title: 'Is this MAC known?', parameters: [mac] }, collection.isRegistered),
  named(
    'POST',
    'set_zone',
    'user',
    {
      title: 'Move machines to a zone',
      parameters: [
        parameter('zone', 'Name of the zone.', 'String', true),
        parameter('nodes', 'System ids; repeat for several.', 'String', true),
      ],
    },
    collection.setZone,
  ),
];

export const registrationChecks: readonly Operation[] = [
  anonymous(
    'GET',
    'is_registered',
    { title: 'Is this MAC known?', parameters: [mac] },
    collection.isRegisteredAnonymously,
  ),
  anonymous(
    'GET',
    'is_action_in_progress',
    { title: 'Is this machine at work?', parameters: [mac] },
    collection.isActionInProgress,
  ),
];

export const machineRoutes: readonly Resource[] = [
  {
    paths: ['machines/'],
    auth: { name: 'MachinesHandler', doc: 'Machines.', operations: machinesOperations },
    anon: {
      name: 'AnonMachinesHandler',
      doc: 'Machines, for callers without credentials.',
      operations: [
        ...registrationChecks,
        anonymous('POST', null, { title: 'Enlist a machine' }, refuseEnlistment),
        anonymous('POST', 'accept', { title: 'Accept machines' }, async () => {
          throw new MaasError(401, 'You must be logged in to accept nodes.');
        }),
      ],
    },
  },
  {
    paths: ['machines/{system_id}/'],
    anon: null,
    auth: { name: 'MachineHandler', doc: 'One machine.', operations: machineOperations },
  },
];
