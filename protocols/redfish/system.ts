import { member, RedfishFailure, text, texts } from './failure.ts';
import { linkOf, type RedfishService } from './service.ts';

/** DMTF DSP0268 ComputerSystem, what power control needs of it. Lists are empty where the service says nothing. */
export interface ComputerSystem {
  path: string;
  id: string;
  uuid: string;
  manufacturer: string;
  /** As given: On, Off, PoweringOn … and, on HPE, Reset, Unknown or nothing while its host restarts. */
  powerState: string;
  etag: string | null;
  reset: { target: string; types: string[] };
  boot: { enabled: string; target: string; mode: string; targets: string[] };
  /** Where a change has to be written instead (`@Redfish.Settings`): iDRAC 10 takes boot overrides there alone. */
  settingsPath: string | null;
}

const ROOT = '/redfish/v1/';
const SYSTEMS = '/redfish/v1/Systems';
/** A chassis of blades has some dozens. */
const MOST_SYSTEMS = 256;
const MOST_PAGES = 16;

export interface SystemChoice {
  /** Last part of the system's path; empty when it was not said. */
  nodeId: string;
  /** The machine's SMBIOS UUID where it is known: finds the system among several. */
  uuid?: string | null;
}

/**
 * The system that is meant: the one named, the only one, or the one with the machine's UUID. Never simply the first of
 * several: on a DGX that is the board of the GPUs. Throws RedfishFailure `setting` that lists what there is.
 */
export async function findSystem(service: RedfishService, choice: SystemChoice): Promise<ComputerSystem> {
  const id = lastPart(choice.nodeId);
  if (id !== '') {
    // As UTF-8, which cannot hold half a surrogate pair; encodeURIComponent throws at one.
    const wellFormed = Buffer.from(id).toString('utf8');
    try {
      return await readSystem(service, `${SYSTEMS}/${encodeURIComponent(wellFormed)}`);
    } catch (error) {
      if (!(error instanceof RedfishFailure) || error.status !== 404) throw error;
    }
  }
  const paths = await listSystems(service);
  const ids = paths.map(lastPart);
  const named = paths.find((path) => lastPart(path).toLowerCase() === id.toLowerCase());
  if (named !== undefined && id !== '') return await readSystem(service, named);
  if (id !== '')
    throw new RedfishFailure('setting', `node_id: ${service.host} has no system ${id}, but ${listed(ids)}`);
  const [only] = paths;
  if (only === undefined) throw new RedfishFailure('setting', `${service.host} has no system at all`);
  if (paths.length === 1) return await readSystem(service, only);
  if (choice.uuid) {
    for (const path of paths) {
      const system = await readSystem(service, path);
      if (system.uuid.toLowerCase() === choice.uuid.toLowerCase()) return system;
    }
  }
  throw new RedfishFailure(
    'setting',
    `node_id is empty, and ${service.host} has ${paths.length} systems: ${listed(ids)}`,
  );
}

const lastPart = (path: string) => path.trim().replace(/\/+$/, '').split('/').at(-1) ?? '';
const listed = (ids: string[]) => (ids.length === 0 ? 'none' : ids.slice(0, 16).join(', '));

/** Paths of the members of the collection of systems, page by page. */
async function listSystems(service: RedfishService): Promise<string[]> {
  const root = await service.get(ROOT);
  let page: string | null = linkOf(root.body, 'Systems') ?? SYSTEMS;
  const paths: string[] = [];
  for (let pages = 0; page !== null && pages < MOST_PAGES && paths.length < MOST_SYSTEMS; pages++) {
    const { body } = await service.get(page);
    const members = member(body, 'Members');
    if (!Array.isArray(members)) throw new RedfishFailure('fatal', `${service.host} lists no systems at ${page}`);
    paths.push(...members.map((each: unknown) => text(each, '@odata.id')).filter((path) => path !== ''));
    page = text(body, 'Members@odata.nextLink') || null;
  }
  return paths.slice(0, MOST_SYSTEMS);
}

/** Throws RedfishFailure; `fatal` when what is at the path cannot be switched. */
export async function readSystem(service: RedfishService, path: string): Promise<ComputerSystem> {
  const { body, etag } = await service.get(path);
  const reset = member(member(body, 'Actions'), '#ComputerSystem.Reset');
  const boot = member(body, 'Boot');
  const own = text(body, '@odata.id') || path;
  return {
    path: own,
    id: text(body, 'Id') || lastPart(own),
    uuid: text(body, 'UUID'),
    manufacturer: text(body, 'Manufacturer'),
    powerState: text(body, 'PowerState'),
    etag,
    reset: {
      target: text(reset, 'target') || `${own.replace(/\/+$/, '')}/Actions/ComputerSystem.Reset`,
      types: await resetTypes(service, reset),
    },
    boot: {
      enabled: text(boot, 'BootSourceOverrideEnabled'),
      target: text(boot, 'BootSourceOverrideTarget'),
      mode: text(boot, 'BootSourceOverrideMode'),
      targets: texts(boot, 'BootSourceOverrideTarget@Redfish.AllowableValues'),
    },
    settingsPath: linkOf(member(body, '@Redfish.Settings'), 'SettingsObject'),
  };
}

/** Said at the action, or in the ActionInfo that it names (DSP0266 section 9.8); neither is a must. */
async function resetTypes(service: RedfishService, reset: unknown): Promise<string[]> {
  const types = texts(reset, 'ResetType@Redfish.AllowableValues');
  const info = text(reset, '@Redfish.ActionInfo');
  if (types.length > 0 || info === '') return types;
  const parameters = member((await service.get(info)).body, 'Parameters');
  const list: unknown[] = Array.isArray(parameters) ? parameters : [];
  return texts(
    list.find((each) => text(each, 'Name') === 'ResetType'),
    'AllowableValues',
  );
}
