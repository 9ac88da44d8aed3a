import { missingFields, powerTypeOf, wrongChoices } from '@ingot/core/power/power-types.ts';
import type { PowerType } from '@ingot/core/power/schema.ts';
import type { Kysely } from 'kysely';
import type { RegionDeps } from '../../deps.ts';
import { createMachine } from '../../machines/create.ts';
import { type MachineChange, updateMachine } from '../../machines/update.ts';
import { readPowerParameters } from '../../store/power-parameters.ts';
import type { Tables } from '../../store/schema.ts';
import { commit } from '../change.ts';
import type { Reply, UserCall } from '../table.ts';
import { collectErrors, invalidField, REQUIRED } from '../wire/errors.ts';
import { formBytes, formInteger, normaliseMac, splitWords, strictBoolean } from '../wire/scalars.ts';
import { allOf, has, lastOf, namesOf, textOf, type Values } from '../wire/values.ts';
import { callerOf } from './command.ts';
import { findMachine } from './find.ts';
import { oneMachine } from './list.ts';
import { commissionCommand } from './operations.ts';

interface Power {
  type: string;
  parameters: Record<string, string>;
}

/** power_type, power_parameters (JSON) and power_parameters_NAME, laid over what is stored. */
function powerOf(values: Values, stored: Power): Power | undefined {
  const names = namesOf(values).filter(
    (name) => name.startsWith('power_parameters_') && name !== 'power_parameters_skip_check',
  );
  const document = textOf(values, 'power_parameters');
  if (!has(values, 'power_type') && names.length === 0 && document === undefined) return undefined;
  const type = lastOf(values, 'power_type') ?? stored.type;
  const known = powerTypeOf(type);
  if (type !== '' && known === undefined) {
    throw invalidField('power_type', `Select a valid choice. ${type} is not one of the available choices.`);
  }
  const parameters: Record<string, string> = type === stored.type ? { ...stored.parameters } : {};
  if (document !== undefined) Object.assign(parameters, parameterDocument(document));
  for (const name of names) parameters[name.slice('power_parameters_'.length)] = lastOf(values, name) ?? '';
  if (known !== undefined && !skipsCheck(values)) checkParameters(known, parameters);
  return { type, parameters };
}

/** Throws 400 with the first field that is not as its power type describes it, named by its label. */
function checkParameters(type: PowerType, parameters: Power['parameters']): void {
  const [missing] = missingFields(type, parameters);
  if (missing) throw invalidField('power_parameters', `${missing.label}: ${REQUIRED}`);
  const [wrong] = wrongChoices(type, parameters);
  if (wrong) {
    const value = parameters[wrong.name] ?? '';
    const why = `Select a valid choice. ${value} is not one of the available choices.`;
    throw invalidField('power_parameters', `${wrong.label}: ${why}`);
  }
}

const skipsCheck = (values: Values): boolean => strictBoolean(values, 'power_parameters_skip_check', false);

function parameterDocument(text: string): Record<string, string> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw invalidField('power_parameters', 'Enter valid JSON.');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalidField('power_parameters', 'Enter a JSON object.');
  }
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [key, value === null ? '' : String(value)]));
}

/** Debian's names of the architectures that servers have. */
const ARCHITECTURES = ['amd64', 'arm64', 'armhf', 'i386', 'ppc64el', 'riscv64', 's390x'];

/** `arch/subarch`: a bare architecture gets `/generic`, or the subarchitecture given beside it. */
function architectureOf(values: Values): string | undefined {
  const text = textOf(values, 'architecture');
  if (text === undefined) return undefined;
  const subarchitecture = textOf(values, 'subarchitecture');
  if (text.includes('/') && subarchitecture !== undefined) {
    throw invalidField('subarchitecture', 'Subarchitecture cannot be specified twice.');
  }
  const whole = text.includes('/') ? text : `${text}/${subarchitecture ?? 'generic'}`;
  const [architecture = '', subarch = ''] = whole.split('/', 2);
  if (!ARCHITECTURES.includes(architecture) || !/^[a-z0-9_.-]+$/i.test(subarch) || /^(hwe|ga)-/.test(subarch)) {
    const known = ARCHITECTURES.map((name) => `'${name}/generic'`).join(', ');
    throw invalidField('architecture', `'${whole}' is not a valid architecture. It should be one of: ${known}.`);
  }
  return whole;
}

/** Database id of a named thing; by name, for domains also by id. */
async function referenceOf(
  db: Kysely<Tables>,
  values: Values,
  field: 'zone' | 'pool' | 'domain',
): Promise<number | undefined> {
  const text = textOf(values, field);
  if (text === undefined) return undefined;
  const table = ({ zone: 'zones', pool: 'pools', domain: 'domains' } as const)[field];
  const byName = await db.selectFrom(table).select('id').where('name', '=', text).executeTakeFirst();
  if (byName !== undefined) return byName.id;
  if (field === 'domain' && /^\d{1,9}$/.test(text)) {
    const byId = await db.selectFrom(table).select('id').where('id', '=', Number(text)).executeTakeFirst();
    if (byId !== undefined) return byId.id;
  }
  throw invalidField(field, 'Select a valid choice. That choice is not one of the available choices.');
}

/** A name with dots: what follows the first one is a domain that exists (lifecycle §1). */
async function namedIn(
  db: Kysely<Tables>,
  text: string | undefined,
): Promise<{ hostname: string | undefined; domainId: number | undefined }> {
  const dot = text?.indexOf('.') ?? -1;
  if (text === undefined || dot < 0) return { hostname: text, domainId: undefined };
  const domain = await db
    .selectFrom('domains')
    .select('id')
    .where('name', '=', text.slice(dot + 1))
    .executeTakeFirst();
  if (domain === undefined) throw invalidField('hostname', 'Nonexistant domain.');
  return { hostname: text.slice(0, dot), domainId: domain.id };
}

/** What create and update have in common. */
async function sharedFields(call: UserCall): Promise<MachineChange> {
  const { values } = call;
  const { db } = call.deps;
  const minHweKernel = lastOf(values, 'min_hwe_kernel');
  if (minHweKernel !== undefined && minHweKernel !== '' && !/^(hwe|ga)-/.test(minHweKernel)) {
    throw invalidField('min_hwe_kernel', 'Invalid kernel: it begins with hwe- or ga-.');
  }
  const { hostname, domainId } = await namedIn(db, textOf(values, 'hostname'));
  return {
    hostname,
    architecture: architectureOf(values),
    description: lastOf(values, 'description'),
    domainId: domainId ?? (await referenceOf(db, values, 'domain')),
    zoneId: await referenceOf(db, values, 'zone'),
    poolId: await referenceOf(db, values, 'pool'),
    cpuCount: formInteger(values, 'cpu_count', { min: 0 }),
    memory: formInteger(values, 'memory', { min: 0 }),
    minHweKernel,
  };
}

/**
 * Adds a machine by hand. MACs are required unless its BMC is known (then its first boot tells them). Administrators'
 * machines are commissioned at once unless `commission=false`; a refusal of that is not an error (as upstream).
 */
export async function createByForm(call: UserCall): Promise<Reply> {
  const { values, deps } = call;
  const errors = collectErrors();
  const macs = splitWords(allOf(values, 'mac_addresses'));
  for (const text of macs) {
    if (normaliseMac(text) === null) errors.add('mac_addresses', `'${text}' is not a valid MAC address.`);
  }
  if (strictBoolean(values, 'deployed', false)) {
    errors.add('deployed', 'Machines that run already cannot be added to this server.');
  }
  const isIpmi = textOf(values, 'power_type') === 'ipmi';
  if (macs.length === 0 && !isIpmi) errors.add('mac_addresses', REQUIRED);
  if (textOf(values, 'architecture') === undefined && !isIpmi) errors.add('architecture', REQUIRED);
  errors.throwIfAny();
  const commissions = call.user.admin && strictBoolean(values, 'commission', true);
  const command = commissions ? commissionCommand(call) : null;
  const { architecture, ...shared } = await sharedFields(call);
  // A plain user adds a machine, but where it stands is for administrators to say.
  const placed = call.user.admin ? shared : { ...shared, zoneId: undefined, poolId: undefined };
  const created = await createMachine(deps, {
    ...placed,
    architecture: architecture ?? '',
    // Without an architecture the machine must boot from the network first, which tells the right MACs.
    macAddresses: architecture === undefined ? [] : macs.map((mac) => normaliseMac(mac) ?? mac),
    power: powerOf(values, { type: '', parameters: {} }),
  });
  if (command !== null) await deps.door.apply(created.systemId, command, callerOf(call));
  return await oneMachine(deps, created.id);
}

export async function updateByForm(call: UserCall): Promise<Reply> {
  const machine = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'admin');
  const stored = await readPowerParameters(call.deps, machine.system_id);
  const power = powerOf(call.values, stored);
  const change = await sharedFields(call);
  const swapSize = formBytes(call.values, 'swap_size');
  const hweKernel = lastOf(call.values, 'hwe_kernel');
  await updateMachine(call.deps, machine.system_id, { ...change, power });
  await updateRest(call.deps, machine.id, swapSize, hweKernel);
  return await oneMachine(call.deps, machine.id);
}

async function updateRest(
  deps: RegionDeps,
  machineId: number,
  swapSize: number | undefined,
  hweKernel: string | undefined,
): Promise<void> {
  if (swapSize === undefined && hweKernel === undefined) return;
  await commit(deps, async (trx) => {
    await trx
      .updateTable('machines')
      .set((eb) => ({ swap_size: swapSize, hwe_kernel: hweKernel, version: eb('version', '+', 1) }))
      .where('id', '=', machineId)
      .execute();
    await trx.insertInto('body_dirty').values({ machine_id: machineId }).execute();
  });
}
