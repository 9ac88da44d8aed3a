import * as collection from '../machines/collection.ts';
import { blockDeviceObject } from '../machines/disks.ts';
import { filterMachines } from '../machines/filters.ts';
import { findMachine } from '../machines/find.ts';
import { interfaceObject } from '../machines/interfaces.ts';
import { listMachines } from '../machines/list.ts';
import { loadAggregates, type MachineAggregates } from '../machines/load.ts';
import { remove } from '../machines/operations.ts';
import { crud, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { noMatch } from '../wire/errors.ts';
import { readDetails, readMachine, readPower, registrationChecks } from './machines.ts';

const mac = parameter('mac_address', 'MAC address of an interface.', 'String', true);

interface Aggregate {
  all: MachineAggregates;
  machine: { id: number; systemId: string; status: string };
}

async function aggregateOf(call: UserCall): Promise<Aggregate> {
  const found = await findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'view', 'Node');
  const all = await loadAggregates(call.deps.db, [found.id]);
  return { all, machine: { id: found.id, systemId: found.system_id, status: found.status } };
}

const interfacesOf = ({ all, machine }: Aggregate) => all.interfaces.get(machine.id) ?? [];
const disksOf = ({ all, machine }: Aggregate) => all.disks.get(machine.id) ?? [];

/** By id or by name. */
async function readInterface(call: UserCall): Promise<Reply> {
  const aggregate = await aggregateOf(call);
  const key = call.path.id ?? '';
  const row = interfacesOf(aggregate).find((nic) => String(nic.id) === key || nic.name === key);
  if (row === undefined) throw noMatch('Interface');
  return json(interfaceObject(aggregate.all, aggregate.machine.systemId, row));
}

/** By id or by name. */
async function readDisk(call: UserCall): Promise<Reply> {
  const aggregate = await aggregateOf(call);
  const key = call.path.id ?? '';
  const row = disksOf(aggregate).find((disk) => String(disk.id) === key || disk.name === key);
  if (row === undefined) throw noMatch('BlockDevice');
  return json(blockDeviceObject(aggregate.all, aggregate.machine, row));
}

export const nodeRoutes: readonly Resource[] = [
  {
    paths: ['nodes/'],
    anon: {
      name: 'AnonNodesHandler',
      doc: 'Nodes, for callers without credentials.',
      operations: registrationChecks,
    },
    auth: {
      name: 'NodesHandler',
      doc: 'Machines and other nodes.',
      operations: [
        crud(
          'GET',
          'user',
          { title: 'List nodes', parameters: [parameter('id', 'System id; repeat for several.')] },
          async (call) => listMachines(call.deps, await filterMachines(call.deps.db, call.user, call.query)),
        ),
        named(
          'GET',
          'is_registered',
          'user',
          { title: 'Is this MAC known?', parameters: [mac] },
          collection.isRegistered,
        ),
        named(
          'POST',
          'set_zone',
          'user',
          {
            title: 'Move nodes to a zone',
            parameters: [
              parameter('zone', 'Name of the zone.', 'String', true),
              parameter('nodes', 'System ids; repeat for several.', 'String', true),
            ],
          },
          collection.setZone,
        ),
      ],
    },
  },
  {
    paths: ['nodes/{system_id}/'],
    anon: null,
    auth: {
      name: 'NodeHandler',
      doc: 'One node.',
      operations: [
        crud('GET', 'user', { title: 'Read a node' }, readMachine),
        crud('DELETE', 'user', { title: 'Delete a node' }, remove),
        named('GET', 'details', 'user', { title: 'Read what lshw and LLDP said, as BSON' }, readDetails),
        named('GET', 'power_parameters', 'user', { title: 'Read power parameters, secrets included' }, readPower),
      ],
    },
  },
  {
    paths: ['nodes/{system_id}/interfaces/'],
    anon: null,
    auth: {
      name: 'InterfacesHandler',
      doc: 'Interfaces of a node.',
      operations: [
        crud('GET', 'user', { title: 'List interfaces of a node' }, async (call) => {
          const aggregate = await aggregateOf(call);
          const { all, machine } = aggregate;
          return json(interfacesOf(aggregate).map((row) => interfaceObject(all, machine.systemId, row)));
        }),
      ],
    },
  },
  {
    paths: ['nodes/{system_id}/interfaces/{id}/'],
    anon: null,
    auth: {
      name: 'InterfaceHandler',
      doc: 'One interface.',
      operations: [crud('GET', 'user', { title: 'Read an interface' }, readInterface)],
    },
  },
  {
    paths: ['nodes/{system_id}/blockdevices/'],
    anon: null,
    auth: {
      name: 'BlockDevicesHandler',
      doc: 'Disks of a machine.',
      operations: [
        crud('GET', 'user', { title: 'List disks of a machine' }, async (call) => {
          const aggregate = await aggregateOf(call);
          return json(disksOf(aggregate).map((row) => blockDeviceObject(aggregate.all, aggregate.machine, row)));
        }),
      ],
    },
  },
  {
    paths: ['nodes/{system_id}/blockdevices/{id}/'],
    anon: null,
    auth: {
      name: 'BlockDeviceHandler',
      doc: 'One disk.',
      operations: [crud('GET', 'user', { title: 'Read a disk' }, readDisk)],
    },
  },
];
