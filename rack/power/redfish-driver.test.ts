import type { PowerWork } from '@ingot/contract/rack.ts';
import { PERSONAS } from '@ingot/protocols/redfish/persona.ts';
import type { RedfishChassis } from '@ingot/protocols/redfish/simulated-system.ts';
import {
  createRedfishHost,
  makeCertificate,
  type RedfishFaults,
  type RedfishHost,
  type RedfishServer,
} from '@ingot/protocols/redfish/simulator.ts';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { convergePower } from './converge.ts';
import { type Parameters, PowerFailure } from './driver.ts';
import { redfishDriver } from './redfish-driver.ts';

const PASSWORD = 'corréct horse';
const NETWORK = { from: 'network', firmware: 'uefi' } as const;

interface Rig {
  server: RedfishServer;
  parameters: Parameters;
  faults: RedfishFaults;
  /** What reached the machine, in order. */
  happened: string[];
  notes: string[];
  call: { signal: AbortSignal; systemId: string; note(text: string): void };
  power: { on: boolean };
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

async function rig(given: { on?: boolean; persona?: keyof typeof PERSONAS; ignoresSoft?: boolean } = {}): Promise<Rig> {
  const power = { on: given.on ?? false };
  const happened: string[] = [];
  const notes: string[] = [];
  const faults: RedfishFaults = {};
  const chassis: RedfishChassis = {
    status: () => power,
    control: (action) => {
      happened.push(action);
      if (action === 'soft' && given.ignoresSoft) return;
      power.on = action !== 'off' && action !== 'soft';
    },
    setBoot: (boot) => {
      happened.push(boot === null ? 'boot order' : `${boot.device}${boot.efi ? ' EFI' : ''}`);
    },
  };
  const persona = PERSONAS[given.persona ?? 'generic'];
  const server = await host.serve({
    address: '127.0.0.1',
    port: 0,
    users: [{ name: 'admin', password: PASSWORD }],
    systems: [{ id: 'Self', uuid: '6a1b0f8e-1111-4222-8333-123456789abc', chassis, persona }],
    faults: () => faults,
  });
  running.push(server);
  return {
    server,
    parameters: {
      power_address: `127.0.0.1:${server.port}`,
      power_user: 'admin',
      power_pass: PASSWORD,
      node_id: 'Self',
    },
    faults,
    happened,
    notes,
    call: { signal: new AbortController().signal, systemId: '4y3h7n', note: (text) => void notes.push(text) },
    power,
  };
}

/** Through the rack's own loop, with its waits made short. */
function converge(on: Rig, action: PowerWork['action'], soft = false) {
  const work: PowerWork = {
    id: 1,
    kind: 'power',
    systemId: '4y3h7n',
    attempt: 1,
    generation: 1,
    action,
    soft,
    bootFrom: 'network',
    firmware: 'uefi',
    powerType: 'redfish',
    parameters: { ...on.parameters },
  };
  let clock = 0;
  return convergePower(work, redfishDriver, on.call, {
    sleep: (ms) => {
      clock += ms;
      return Promise.resolve();
    },
    now: () => clock,
    mark: () => Promise.resolve(),
    resumeAt: null,
    softOffMs: 5000,
  });
}

async function failureOf(promise: Promise<unknown>): Promise<PowerFailure> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PowerFailure)) throw error;
  return error;
}

it.each(Object.keys(PERSONAS))(
  '%s: arms the network, switches on, and leaves a running machine alone',
  async (name) => {
    const on = await rig({
      persona: Object.keys(PERSONAS).find((each): each is keyof typeof PERSONAS => each === name) ?? 'generic',
    });
    expect(await redfishDriver.query(on.parameters, on.call)).toBe('off');
    expect(await redfishDriver.on(on.parameters, NETWORK, on.call)).toBe('sent');
    expect(on.happened).toEqual(['pxe EFI', 'on']);
    expect(await redfishDriver.on(on.parameters, NETWORK, on.call)).toBe('already');
    expect(await redfishDriver.query(on.parameters, on.call)).toBe('on');
    expect(on.happened).toEqual(['pxe EFI', 'on']);
  },
);

it('off is done once, and not to a machine that is off; nothing is armed by it', async () => {
  const on = await rig({ on: true });
  expect(await converge(on, 'off')).toEqual({ ok: true, state: 'off' });
  expect(await converge(on, 'off')).toEqual({ ok: true, state: 'off' });
  expect(on.happened).toEqual(['off']);
});

it('a cycle is off, the boot device, then on', async () => {
  const on = await rig({ on: true });
  expect(await converge(on, 'cycle')).toEqual({ ok: true, state: 'on' });
  expect(on.happened).toEqual(['off', 'pxe EFI', 'on']);
});

it('a soft off asks the operating system, and is followed by a hard one when that does not go', async () => {
  const obeys = await rig({ on: true, persona: 'hpe' });
  expect(await converge(obeys, 'off', true)).toEqual({ ok: true, state: 'off' });
  expect(obeys.happened).toEqual(['soft']);
  expect(obeys.notes).toContain('BMC accepted soft power off (PushPowerButton)');
  const deaf = await rig({ on: true, ignoresSoft: true });
  expect(await converge(deaf, 'off', true)).toEqual({ ok: true, state: 'off' });
  expect(deaf.happened).toEqual(['soft', 'off']);
});

it('a machine on its way is given its time, not another command', async () => {
  const on = await rig();
  on.faults.powerState = 'PoweringOn';
  expect(await redfishDriver.on(on.parameters, NETWORK, on.call)).toBe('sent');
  expect(await redfishDriver.query(on.parameters, on.call)).toBe('off');
  on.faults.powerState = 'PoweringOff';
  expect(await redfishDriver.off(on.parameters, true, on.call)).toBe('sent');
  expect(on.happened).toEqual([]);
});

it('a state that the BMC does not say is asked for again, and never guessed', async () => {
  const on = await rig();
  on.faults.powerState = 'Reset';
  const failure = await failureOf(redfishDriver.query(on.parameters, on.call));
  expect(failure).toMatchObject({
    failure: 'action',
    message: expect.stringContaining('gives Reset as the power state'),
  });
  expect((await failureOf(redfishDriver.on(on.parameters, NETWORK, on.call))).failure).toBe('action');
  expect(on.happened).toEqual([]);
  expect(await converge(on, 'query')).toMatchObject({ ok: false, class: 'action' });
});

it('power on goes on when the boot device cannot be armed, and says so', async () => {
  const on = await rig();
  on.faults.forgetsBoot = true;
  expect(await redfishDriver.on(on.parameters, NETWORK, on.call)).toBe('sent');
  expect(on.happened).toEqual(['on']);
  expect(on.notes[0]).toContain('boot device was not set');
});

/**
 * @fault A Redfish service (or who answers in its place) redirects the rack to another address.
 * @sees "Failed talking to node's BMC: … redirected to …: not followed, as the credentials are for … alone" (power.fatal).
 * @ends The other address is never asked, so it gets no password; the attempt fails at its power phase and can be retried.
 */
it('a redirect to another host, port or scheme is refused, and nobody is asked there', async () => {
  const on = await rig();
  const thief = await rig();
  for (const to of [thief.server.url, thief.server.url.replace('https', 'http'), 'https://192.0.2.7']) {
    on.faults.redirectsTo = to;
    for (const tried of [
      redfishDriver.query(on.parameters, on.call),
      redfishDriver.on(on.parameters, NETWORK, on.call),
      redfishDriver.off(on.parameters, false, on.call),
    ]) {
      const failure = await failureOf(tried);
      expect(failure.failure).toBe('fatal');
      expect(failure.message).toContain(`127.0.0.1:${on.server.port} redirected to ${to}: not followed`);
    }
  }
  expect(thief.server.requests()).toEqual([]);
  expect(await converge(on, 'on')).toMatchObject({ ok: false, class: 'fatal' });
  on.faults.redirectsTo = on.server.url.replace('127.0.0.1', 'localhost');
  expect((await failureOf(redfishDriver.query(on.parameters, on.call))).failure).toBe('fatal');
  expect([on.happened, thief.happened]).toEqual([[], []]);
});

/**
 * @fault The Redfish user or password is wrong.
 * @sees "Could not authenticate to node's BMC: … refused user or password" (power.auth), without the password.
 * @ends It is tried once only, so that the BMC does not lock the account; corrected parameters and a retry work.
 */
it('a wrong password is tried once', async () => {
  const on = await rig();
  const before = on.server.requests().length;
  const wrong = { ...on, parameters: { ...on.parameters, power_pass: 'guess-me-not' } };
  const outcome = await converge(wrong, 'on');
  expect(outcome).toMatchObject({
    ok: false,
    class: 'auth',
    message: expect.stringContaining("Could not authenticate to node's BMC"),
  });
  expect(JSON.stringify([outcome, on.notes])).not.toContain('guess-me-not');
  expect(on.server.requests().length - before).toBe(1);
  expect(await converge(on, 'on')).toEqual({ ok: true, state: 'on' });
});

/**
 * @fault A Redfish BMC says yes to every command and does nothing.
 * @sees "Failed to power on. BMC never transitioned from off to on." (power.action).
 * @ends After four tries, 40 seconds, the attempt fails at its power phase; the state shown is what the BMC says, never what was asked for.
 */
it('a BMC that lies is found out', async () => {
  const on = await rig();
  on.faults.lies = 'deaf';
  expect(await converge(on, 'on')).toEqual({
    ok: false,
    class: 'action',
    message: 'Failed to complete power action: Failed to power on. BMC never transitioned from off to on.',
  });
  expect(on.happened.filter((what) => what === 'on')).toEqual([]);
});

/**
 * @fault A Redfish service answers with bodies without end, or with half a JSON text.
 * @sees "Failed talking to node's BMC: … answered with more than 1024 KiB" or "… no JSON object" (power.fatal).
 * @ends The answer is cut off at the limit, the rack's memory does not grow, and nothing is switched.
 */
it('what is no answer is not taken for one', async () => {
  const on = await rig();
  on.faults.bodies = 'huge';
  expect(await failureOf(redfishDriver.query(on.parameters, on.call))).toMatchObject({
    failure: 'fatal',
    message: expect.stringContaining('more than 1024 KiB'),
  });
  on.faults.bodies = 'malformed';
  expect(await failureOf(redfishDriver.on(on.parameters, NETWORK, on.call))).toMatchObject({
    failure: 'fatal',
    message: expect.stringContaining('no JSON object'),
  });
  expect(on.happened).toEqual([]);
});

/**
 * @fault A Redfish BMC cannot be reached, or answers 503 because it is starting.
 * @sees "Could not contact node's BMC: …" (power.connection) or "… HTTP 503" (power.action), once tries are used up.
 * @ends A BMC that comes back meanwhile is used as if nothing had been; else the attempt fails at its power phase.
 */
it('a BMC that is away or starting is tried again', async () => {
  const on = await rig();
  on.faults.status = 503;
  let asked = 0;
  const note = (text: string): void => {
    on.notes.push(text);
    asked += 1;
    if (asked === 2) delete on.faults.status;
  };
  expect(await converge({ ...on, call: { ...on.call, note } }, 'on')).toEqual({ ok: true, state: 'on' });
  expect(on.notes[0]).toContain('HTTP 503');
  expect(on.happened).toEqual(['pxe EFI', 'on']);
  await on.server.close();
  expect(await converge(on, 'query')).toEqual({
    ok: false,
    class: 'connection',
    message: `Could not contact node's BMC: 127.0.0.1:${on.server.port} refused the connection`,
  });
});

it('settings that cannot work are named, and no value is repeated', async () => {
  const on = await rig();
  const setting = (more: Parameters) => failureOf(redfishDriver.query({ ...on.parameters, ...more }, on.call));
  expect(await setting({ power_address: '' })).toMatchObject({
    failure: 'setting',
    message: expect.stringContaining('power_address is empty'),
  });
  const url = await setting({ power_address: 'https://root:calvin@10.0.0.5' });
  expect(url.failure).toBe('setting');
  expect(url.message).not.toContain('calvin');
  expect(await setting({ node_id: 'System.Embedded.1' })).toMatchObject({
    failure: 'setting',
    message: expect.stringContaining('but Self'),
  });
  expect(await setting({ power_verify_ssl: 'y' })).toMatchObject({
    failure: 'setting',
    message: expect.stringContaining('not trusted'),
  });
});

it('work that is given up ends at once', async () => {
  const on = await rig();
  on.faults.silent = true;
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  const started = performance.now();
  const work = { ...on, call: { ...on.call, signal: stop.signal } };
  expect(await converge(work, 'query')).toMatchObject({ ok: false, message: expect.stringContaining('given up') });
  expect(performance.now() - started).toBeLessThan(5000);
});
