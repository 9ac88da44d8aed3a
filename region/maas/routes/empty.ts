import { crud, json, named, type Resource, type UserCall } from '../table.ts';
import { noMatch } from '../wire/errors.ts';
import { registrationChecks } from './machines.ts';

const nothing = async () => json([]);

/** Lists of things that this server does not have, which clients ask for and must be able to read. */
export const emptyRoutes: readonly Resource[] = [
  {
    paths: ['devices/'],
    anon: {
      name: 'AnonDevicesHandler',
      doc: 'Devices, for callers without credentials.',
      operations: registrationChecks,
    },
    auth: {
      name: 'DevicesHandler',
      doc: 'Devices.',
      operations: [crud('GET', 'user', { title: 'List devices' }, nothing)],
    },
  },
  {
    paths: ['devices/{system_id}/'],
    anon: null,
    auth: {
      name: 'DeviceHandler',
      doc: 'One device.',
      operations: [
        crud('GET', 'user', { title: 'Read a device' }, async (_call: UserCall) => {
          throw noMatch('Device');
        }),
      ],
    },
  },
  {
    paths: ['static-routes/'],
    anon: null,
    auth: {
      name: 'StaticRoutesHandler',
      doc: 'Static routes.',
      operations: [crud('GET', 'user', { title: 'List static routes' }, nothing)],
    },
  },
  {
    paths: ['discovery/'],
    anon: null,
    auth: {
      name: 'DiscoveriesHandler',
      doc: 'Hosts seen on the network that are no machines.',
      operations: [
        crud('GET', 'user', { title: 'List discoveries' }, nothing),
        named('GET', 'by_unknown_ip', 'user', { title: 'List discoveries with unknown address' }, nothing),
        named('GET', 'by_unknown_mac', 'user', { title: 'List discoveries with unknown MAC' }, nothing),
        named(
          'GET',
          'by_unknown_ip_and_mac',
          'user',
          { title: 'List discoveries with unknown address and MAC' },
          nothing,
        ),
      ],
    },
  },
];
