import fc from 'fast-check';
import { expect, it } from 'vitest';
import { setBootOnce } from './boot.ts';
import { RedfishFailure, reasonOf } from './failure.ts';
import { resetSystem } from './power.ts';
import type { RedfishService } from './service.ts';
import { findSystem } from './system.ts';

const SEED = 20_261_122;

/** A service that answers what it likes, and says what it was asked to do. */
function serviceOf(answers: (path: string) => unknown, refusals: (number | null)[] = []) {
  const etags: (string | null)[] = [];
  const service: RedfishService = {
    host: 'bmc',
    get: (path) => Promise.resolve({ body: answers(path), etag: 'W/"7"' }),
    post: () => Promise.resolve(),
    patch: (_path, _body, etag) => {
      etags.push(etag);
      const status = refusals.shift() ?? null;
      if (status === null) return Promise.resolve();
      return Promise.reject(new RedfishFailure('action', 'no', status));
    },
  };
  return { service, etags };
}

async function useAll(service: RedfishService, nodeId: string): Promise<string> {
  try {
    const system = await findSystem(service, { nodeId, uuid: 'u' });
    await setBootOnce(service, system, { device: 'network', firmware: 'uefi' });
    return await resetSystem(service, system, 'soft');
  } catch (error) {
    if (error instanceof RedfishFailure && error.message.length <= 600) return error.failure;
    throw error;
  }
}

/** JSON in which the names that the client looks for turn up with anything behind them. */
const NAMES = [
  'Systems',
  'Members',
  '@odata.id',
  'Actions',
  '#ComputerSystem.Reset',
  'target',
  'Boot',
  'UUID',
  'Parameters',
];
const MORE = [
  'ResetType@Redfish.AllowableValues',
  '@Redfish.ActionInfo',
  '@Redfish.Settings',
  'SettingsObject',
  'PowerState',
];
const oddJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.jsonValue(),
    fc.constantFrom('/redfish/v1/Systems/1', 'https://192.0.2.1/', 'Pxe', 'On', '//', '\ud800'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES, ...MORE), tie('value'), { maxKeys: 8 }),
  ),
})).value;

it('whatever JSON a service answers with, the end is a reset or a readable failure', async () => {
  await fc.assert(
    fc.asyncProperty(oddJson, oddJson, fc.string({ unit: 'binary' }), async (first, second, nodeId) => {
      let turn = 0;
      const { service } = serviceOf(() => (turn++ % 2 === 0 ? first : second));
      const end = await useAll(service, nodeId);
      expect(['auth', 'setting', 'connection', 'action', 'fatal', 'GracefulShutdown', 'PushPowerButton']).toContain(
        end,
      );
    }),
    { seed: SEED, numRuns: 500 },
  );
}, 120_000);

it('whatever an error body holds, the reason is one short line', () => {
  fc.assert(
    fc.property(fc.record({ error: oddJson, '@Message.ExtendedInfo': oddJson }, { requiredKeys: [] }), (body) => {
      const reason = reasonOf(body);
      expect(reason.length).toBeLessThanOrEqual(300);
      expect(reason).not.toMatch(/[\r\n]/);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

it('pages of members without end are not followed without end', async () => {
  let asked = 0;
  const { service } = serviceOf(() => {
    asked += 1;
    return { Members: [{ '@odata.id': `/redfish/v1/Systems/${asked}` }], 'Members@odata.nextLink': `/more/${asked}` };
  });
  expect(await useAll(service, '')).toBe('setting');
  // The root, 16 pages, and each of their systems once, to compare its UUID.
  expect(asked).toBeLessThan(40);
});

it('an ETag that is not taken is tried by its strong name, then left out', async () => {
  const system = {
    '@odata.id': '/redfish/v1/Systems/1',
    Boot: { BootSourceOverrideTarget: 'Pxe', BootSourceOverrideEnabled: 'Once' },
  };
  const weak = serviceOf(() => system, [412]);
  expect(await useAll(weak.service, '1')).toBe('GracefulShutdown');
  expect(weak.etags).toEqual(['W/"7"', '"7"']);
  const none = serviceOf(() => system, [412, 412]);
  expect(await useAll(none.service, '1')).toBe('GracefulShutdown');
  expect(none.etags).toEqual(['W/"7"', '"7"', null]);
  const never = serviceOf(() => system, [412, 412, 412]);
  expect(await useAll(never.service, '1')).toBe('action');
});
