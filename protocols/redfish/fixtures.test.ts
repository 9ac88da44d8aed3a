import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PERSONAS } from './persona.ts';
import { powerOf, resetTypeFor } from './power.ts';
import type { RedfishService } from './service.ts';
import { type ComputerSystem, readSystem } from './system.ts';

/** What the client makes of a recorded resource. */
async function recorded(name: string): Promise<ComputerSystem> {
  const body: unknown = JSON.parse(readFileSync(new URL(`./testdata/${name}.json`, import.meta.url), 'utf8'));
  const refuse = () => Promise.reject(new Error('only the resource itself is recorded'));
  const service: RedfishService = {
    host: 'recorded',
    get: () => Promise.resolve({ body, etag: '"header"' }),
    post: refuse,
    patch: refuse,
  };
  return await readSystem(service, '/redfish/v1/Systems/recorded');
}

const wishes = (system: ComputerSystem) =>
  (['on', 'off', 'soft', 'restart'] as const).map((wish) => resetTypeFor(wish, system.reset.types));

it('every recorded service can be switched on, off, softly and restarted by what it offers', async () => {
  const usual = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart'];
  expect(wishes(await recorded('dell-idrac10'))).toEqual(usual);
  expect(wishes(await recorded('supermicro-as1015cs'))).toEqual(usual);
  expect(wishes(await recorded('lenovo-sr650'))).toEqual(usual);
  expect(wishes(await recorded('sushy-tools-2.2.0'))).toEqual(usual);
  // iLO 5 has no GracefulShutdown: the button does it.
  expect(wishes(await recorded('hpe-ilo5'))).toEqual(['On', 'ForceOff', 'PushPowerButton', 'ForceRestart']);
});

it('reads identity, reset target and boot override where each vendor has them', async () => {
  expect(await recorded('supermicro-as1015cs')).toMatchObject({
    path: '/redfish/v1/Systems/1',
    uuid: 'FFD3B400-00DE-11F1-8000-905A088166A9',
    etag: '"header"',
    boot: { enabled: 'Disabled', target: 'Pxe', mode: 'Legacy' },
    settingsPath: null,
  });
  const hpe = await recorded('hpe-ilo5');
  expect(hpe.reset.target).toBe('/redfish/v1/Systems/1/Actions/ComputerSystem.Reset/');
  expect(hpe.boot).toEqual({ enabled: '', target: '', mode: '', targets: [] });
});

it('what the simulator plays is what was recorded', async () => {
  const pairs = [
    ['dell-idrac10', 'dell'],
    ['supermicro-as1015cs', 'supermicro'],
    ['lenovo-sr650', 'lenovo'],
  ] as const;
  for (const [file, name] of pairs) {
    const system = await recorded(file);
    expect(PERSONAS[name].resetTypes).toEqual(system.reset.types);
    expect(PERSONAS[name].bootTargets).toEqual(system.boot.targets);
    expect(PERSONAS[name].manufacturer).toBe(system.manufacturer);
  }
  expect(PERSONAS.hpe.resetTypes).toEqual((await recorded('hpe-ilo5')).reset.types);
});

it('a power state on its way, or not said, is neither on nor off', () => {
  const power = (powerState: string) => powerOf({ powerState });
  expect(['On', 'Paused', 'Off'].map(power)).toEqual(['on', 'on', 'off']);
  expect(['PoweringOn', 'PoweringOff'].map(power)).toEqual(['turning-on', 'turning-off']);
  expect(['Reset', 'Unknown', ''].map(power)).toEqual(['unclear', 'unclear', 'unclear']);
});

it('"on" is never done by pressing the button: a second press would undo it', () => {
  expect(resetTypeFor('on', ['PushPowerButton', 'ForceOn'])).toBe('ForceOn');
  expect(resetTypeFor('on', ['PushPowerButton'])).toBeNull();
  expect(resetTypeFor('restart', ['PowerCycle'])).toBe('PowerCycle');
  expect(resetTypeFor('off', [])).toBe('ForceOff');
});
