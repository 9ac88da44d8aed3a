import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseServiceAddress } from './address.ts';
import { setBootOnce } from './boot.ts';
import { RedfishFailure } from './failure.ts';
import { PERSONAS, type RedfishPersona } from './persona.ts';
import { resetSystem } from './power.ts';
import { type RedfishService, type RedfishTarget, withService } from './service.ts';
import type { RedfishChassis } from './simulated-system.ts';
import {
  createRedfishHost,
  makeCertificate,
  type RedfishFaults,
  type RedfishHost,
  type RedfishServer,
  type RedfishServerOptions,
  startRedfishServer,
} from './simulator.ts';
import { findSystem } from './system.ts';

const USER = { name: 'admin', password: 'pässword: 1' };

interface Machine extends RedfishChassis {
  on: boolean;
  boots: unknown[];
  controls: string[];
}

function machine(on = false): Machine {
  const self: Machine = {
    on,
    boots: [],
    controls: [],
    status: () => ({ on: self.on }),
    control: (action) => {
      self.controls.push(action);
      self.on = action !== 'off' && action !== 'soft';
    },
    setBoot: (boot) => {
      self.boots.push(boot);
    },
  };
  return self;
}

let host: RedfishHost;
beforeAll(async () => {
  host = createRedfishHost(await makeCertificate());
  return () => host.close();
});

const running: RedfishServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

async function serve(more: Partial<RedfishServerOptions>): Promise<RedfishServer> {
  const server = await host.serve({ address: '127.0.0.1', port: 0, users: [USER], systems: [], ...more });
  running.push(server);
  return server;
}

const one = (chassis: RedfishChassis, persona?: RedfishPersona, id = '1') => [
  { id, uuid: '6a1b0f8e-1111-4222-8333-123456789abc', chassis, ...(persona ? { persona } : {}) },
];

const at = (server: { url: string }, more: Partial<RedfishTarget> = {}): RedfishTarget => ({
  origin: new URL(server.url),
  user: USER.name,
  password: USER.password,
  verify: false,
  ...more,
});

const ask = <T>(target: RedfishTarget, use: (service: RedfishService) => Promise<T>) =>
  withService(target, use, new AbortController().signal);

async function failureOf(promise: Promise<unknown>): Promise<RedfishFailure> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RedfishFailure)) throw error;
  return error;
}

const armed = (target: RedfishTarget, firmware: 'uefi' | 'bios' | 'auto' = 'uefi', id = '') =>
  ask(target, async (service) =>
    setBootOnce(service, await findSystem(service, { nodeId: id }), { device: 'network', firmware }),
  );

describe('which system is meant', () => {
  const systems = ['HGX_Baseboard_0', 'System_0'].map((id, n) => ({
    id,
    uuid: `0000000${n}-AAAA`,
    chassis: machine(),
  }));

  it('the only one, the one named (also by its path), or the one with the UUID of the machine', async () => {
    const target = at(await serve({ systems }));
    const single = at(await serve({ systems: one(machine(), undefined, 'Self') }));
    const idOf = (choice: { nodeId: string; uuid?: string }, of = target) =>
      ask(of, async (service) => (await findSystem(service, choice)).id);
    expect(await idOf({ nodeId: '' }, single)).toBe('Self');
    expect(await idOf({ nodeId: 'System_0' })).toBe('System_0');
    expect(await idOf({ nodeId: '/redfish/v1/Systems/System_0/' })).toBe('System_0');
    expect(await idOf({ nodeId: '', uuid: '00000001-aaaa' })).toBe('System_0');
  });

  it('is asked for among several, and when the one named does not exist: never is it just the first', async () => {
    const target = at(await serve({ systems }));
    const find = (nodeId: string) => failureOf(ask(target, (service) => findSystem(service, { nodeId })));
    expect(await find('')).toMatchObject({
      failure: 'setting',
      message: expect.stringContaining('HGX_Baseboard_0, System_0'),
    });
    expect(await find('7')).toMatchObject({ failure: 'setting', message: expect.stringContaining('has no system 7') });
  });
});

describe('one boot from the network', () => {
  it.each(Object.entries(PERSONAS))('is armed as %s wants it', async (_name, persona) => {
    const chassis = machine();
    const target = at(await serve({ systems: one(chassis, persona) }));
    expect(await armed(target)).toBe('Pxe');
    expect(chassis.boots).toEqual([{ device: 'pxe', efi: true, persistent: false }]);
  });

  it('is HTTP boot where a service has no PXE, and refused where it has neither', async () => {
    const with_ = (bootTargets: string[]): RedfishPersona => ({ ...PERSONAS.generic, bootTargets });
    expect(await armed(at(await serve({ systems: one(machine(), with_(['None', 'UefiHttp'])) })))).toBe('UefiHttp');
    const none = await failureOf(armed(at(await serve({ systems: one(machine(), with_(['None', 'Hdd'])) }))));
    expect(none).toMatchObject({ failure: 'action', message: expect.stringContaining('offers no boot from network') });
  });

  it('is armed in the mode the machine has when the service does not let the mode be changed', async () => {
    const chassis = machine();
    const persona: RedfishPersona = { ...PERSONAS.lenovo, bootMode: 'read-only' };
    expect(await armed(at(await serve({ systems: one(chassis, persona) })), 'bios')).toBe('Pxe');
    expect(chassis.boots).toEqual([{ device: 'pxe', efi: true, persistent: false }]);
  });

  it('is written again with a fresh ETag when the resource changed in between', async () => {
    const chassis = machine();
    const server = await serve({ systems: one(chassis, PERSONAS.lenovo) });
    const used = await ask(at(server), async (service) => {
      const before = await findSystem(service, { nodeId: '1' });
      await setBootOnce(service, before, { device: 'disk', firmware: 'auto' });
      return await setBootOnce(service, before, { device: 'network', firmware: 'auto' });
    });
    expect(used).toBe('Pxe');
    expect(server.requests().filter((line) => line.startsWith('PATCH'))).toHaveLength(3);
    expect(chassis.boots).toHaveLength(2);
  });

  it('counts as not armed when a service says yes and keeps nothing', async () => {
    const target = at(await serve({ systems: one(machine()), faults: () => ({ forgetsBoot: true }) }));
    expect(await failureOf(armed(target))).toMatchObject({
      failure: 'action',
      message: expect.stringContaining('shows Disabled None'),
    });
  });

  it('is used up by the boot', async () => {
    const chassis = machine();
    const target = at(await serve({ systems: one(chassis) }));
    await armed(target);
    const after = await ask(target, async (service) => {
      expect(await resetSystem(service, await findSystem(service, { nodeId: '' }), 'on')).toBe('On');
      return (await findSystem(service, { nodeId: '' })).boot;
    });
    expect(after).toMatchObject({ enabled: 'Disabled', target: 'None' });
    expect(chassis.controls).toEqual(['on']);
  });
});

describe('logging in', () => {
  it('leaves no session behind: Basic where it is taken, else a session that is closed', async () => {
    const basic = await serve({ systems: one(machine()) });
    await ask(at(basic), (service) => findSystem(service, { nodeId: '' }));
    expect(basic.requests().some((line) => line.includes('Sessions'))).toBe(false);
    const tokens = await serve({ systems: one(machine()), basicAuth: false });
    for (let call = 0; call < 10; call++) await ask(at(tokens), (service) => findSystem(service, { nodeId: '' }));
    expect(tokens.requests().filter((line) => line.startsWith('POST'))).toHaveLength(10);
    expect(tokens.sessions()).toBe(0);
  });

  it('with a wrong password is refused once, and the message does not hold it', async () => {
    for (const basicAuth of [true, false]) {
      const server = await serve({ systems: one(machine()), basicAuth });
      const wrong = at(server, { password: 'not-this-one' });
      const failure = await failureOf(ask(wrong, (service) => findSystem(service, { nodeId: '1' })));
      expect(failure.failure).toBe('auth');
      expect(failure.message).not.toContain('not-this-one');
      expect(server.requests()).toHaveLength(basicAuth ? 1 : 2);
    }
  });
});

describe('what a broken service does to the client', () => {
  const broken = async (faults: RedfishFaults, more: Partial<RedfishTarget> = {}) => {
    const server = await serve({ systems: one(machine()), faults: () => faults });
    return await failureOf(ask(at(server, more), (service) => findSystem(service, { nodeId: '1' })));
  };

  it('silence ends at the deadline', async () => {
    const started = performance.now();
    const failure = await broken({ silent: true }, { limits: { deadlineMs: 300 } });
    expect(failure).toMatchObject({
      failure: 'connection',
      message: expect.stringContaining('did not answer in 0.3 s'),
    });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('bytes that trickle in do not move the deadline', async () => {
    const failure = await broken({ bodies: 'huge' }, { limits: { deadlineMs: 300, maxBytes: 2 ** 30 } });
    expect(failure).toMatchObject({ failure: 'connection' });
  });

  it('an endless body is cut off', async () => {
    expect(await broken({ bodies: 'huge' })).toMatchObject({
      failure: 'fatal',
      message: expect.stringContaining('more than 1024 KiB'),
    });
  });

  it('half a JSON text is no answer', async () => {
    expect(await broken({ bodies: 'malformed' })).toMatchObject({
      failure: 'fatal',
      message: expect.stringContaining('no JSON object'),
    });
  });

  it('a busy one may pass', async () => {
    expect(await broken({ status: 503 })).toMatchObject({
      failure: 'action',
      message: expect.stringContaining('HTTP 503: The service is not available.'),
    });
  });

  it('a redirect that goes in circles ends', async () => {
    const faults: RedfishFaults = {};
    const server = await serve({ systems: one(machine()), faults: () => faults });
    faults.redirectsTo = server.url;
    const failure = await failureOf(ask(at(server), (service) => findSystem(service, { nodeId: '1' })));
    expect(failure).toMatchObject({ failure: 'fatal', message: expect.stringContaining('more than 5 times') });
  });

  it('a resource that is named elsewhere is not asked for', async () => {
    const server = await serve({ systems: one(machine()) });
    const failure = await failureOf(ask(at(server), (service) => service.get('https://192.0.2.1/redfish/v1/')));
    expect(failure).toMatchObject({ failure: 'fatal', message: expect.stringContaining('https://192.0.2.1') });
  });

  it('a certificate that nobody signed is refused where one was wanted', async () => {
    const server = await serve({ systems: one(machine()) });
    const failure = await failureOf(ask(at(server, { verify: true }), (service) => service.get('/redfish/v1/')));
    expect(failure).toMatchObject({ failure: 'setting', message: expect.stringContaining('SELF_SIGNED') });
  });

  it('a port that is closed, or speaks no TLS, is named', async () => {
    const server = await serve({ systems: one(machine()) });
    const failure = await failureOf(
      ask(at({ url: server.url.replace('https', 'http') }), (service) => service.get('/redfish/v1/')),
    );
    expect(['connection', 'fatal']).toContain(failure.failure);
    await server.close();
    expect(await failureOf(ask(at(server), (service) => service.get('/redfish/v1/')))).toMatchObject({
      failure: 'connection',
      message: expect.stringContaining('refused the connection'),
    });
  });
});

it('two hundred services stand in one process, each at its own address', async () => {
  const machines = Array.from({ length: 200 }, () => machine());
  const servers = await Promise.all(
    machines.map((chassis, n) => serve({ address: `127.9.${n >> 7}.${(n & 127) + 1}`, systems: one(chassis) })),
  );
  await Promise.all(
    servers
      .slice(0, 20)
      .map((server) =>
        ask(at(server), async (service) => resetSystem(service, await findSystem(service, { nodeId: '' }), 'on')),
      ),
  );
  expect(machines.filter((chassis) => chassis.on)).toHaveLength(20);
  expect(machines.slice(0, 20).every((chassis) => chassis.controls.length === 1)).toBe(true);
});

it('one service alone needs nothing else', async () => {
  const server = await startRedfishServer({
    address: '127.0.0.1',
    port: 0,
    users: [USER],
    systems: one(machine(true)),
  });
  running.push(server);
  expect(await ask(at(server), async (service) => (await findSystem(service, { nodeId: '' })).powerState)).toBe('On');
});

it('addresses are hosts or URLs, and carry no credentials', () => {
  const origin = (text: string) => parseServiceAddress(text)?.origin ?? null;
  expect(origin('10.0.0.5')).toBe('https://10.0.0.5');
  expect(origin(' bmc.example:8443 ')).toBe('https://bmc.example:8443');
  expect(origin('fd00::5')).toBe('https://[fd00::5]');
  expect(origin('http://10.0.0.5:8000/redfish/v1')).toBe('http://10.0.0.5:8000');
  for (const bad of ['', 'https://root:calvin@10.0.0.5', 'a b', 'https://']) expect(origin(bad)).toBeNull();
});
