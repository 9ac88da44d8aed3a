import { expect, test } from 'vitest';
import { LIFECYCLE_ACTIONS } from './actions.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import { ADMIN, context, machineIn, OTHER, USER } from './fixture.ts';
import type { Command } from './model.ts';
import { STATUSES } from './status.ts';

test('explain says no exactly where decide refuses, with the same reasons', () => {
  for (const status of STATUSES) {
    for (const actor of [ADMIN, USER, OTHER]) {
      for (const locked of [false, true]) {
        for (const type of LIFECYCLE_ACTIONS) {
          const machine = machineIn(status, { locked });
          const command =
            type === 'deploy'
              ? { type, actor, osystem: 'debian', distroSeries: 'bookworm', imageAvailable: true }
              : { type, actor };
          const decision = decide(machine, command satisfies Command, context());
          const { allowed, reasons } = explain(machine, type, actor);
          expect([status, type, allowed]).toEqual([status, type, decision.ok]);
          if (!decision.ok) expect(reasons).toEqual(decision.refused);
        }
      }
    }
  }
});

test('a wrong status names the shortest way', () => {
  const fix = (status: (typeof STATUSES)[number], action: (typeof LIFECYCLE_ACTIONS)[number]) =>
    explain(machineIn(status), action, ADMIN).reasons[0]?.fix;
  expect(fix('NEW', 'deploy')).toBe('Commission, then deploy.');
  expect(fix('FAILED_TESTING', 'deploy')).toBe('Override failed testing, then deploy.');
  expect(fix('BROKEN', 'deploy')).toBe('Commission, then deploy.');
  expect(fix('DEPLOYED', 'commission')).toBe('Release, then commission.');
  expect(fix('COMMISSIONING', 'deploy')).toBe('Wait until commissioning is finished (or abort it), then deploy.');
  expect(fix('ALLOCATED', 'power-on')).toMatch(/^Deploy it/);
});

test('a busy machine is told apart from a wrong status', () => {
  expect(explain(machineIn('DEPLOYING'), 'commission', ADMIN).reasons[0]?.code).toBe('status.busy');
  expect(explain(machineIn('DEPLOYED'), 'commission', ADMIN).reasons[0]?.code).toBe('status.wrong');
});

test('warnings stop nothing: no SSH key, power by hand', () => {
  const machine = machineIn('READY', { powerType: 'manual' });
  machine.facts = { ...machine.facts, ownerHasSshKey: false };
  const { allowed, warnings } = explain(machine, 'deploy', USER);
  expect([allowed, warnings.map(({ code }) => code)]).toEqual([true, ['power.manual', 'user.no_ssh_key']]);
});

test('what is never commissioned has nothing to test; a missing image says which', () => {
  const machine = machineIn('NEW');
  machine.facts = { ...machine.facts, commissioning: 'none' };
  expect(explain(machine, 'test', ADMIN).reasons.map(({ code }) => code)).toEqual(['commissioning.none']);
  const [image] = explain(machineIn('READY'), 'deploy', USER, { imageAvailable: false, image: 'debian/sid' }).reasons;
  expect(image).toMatchObject({
    code: 'image.arch',
    message: 'Image debian/sid is not in the store for amd64/generic.',
  });
});

test('a boot service that is down is told before anything starts, and once more in the events of what is started', () => {
  const machine = machineIn('READY');
  machine.facts = {
    ...machine.facts,
    bootServiceDown: { rack: 'hall-2', service: 'dhcp', detail: 'kea does not run' },
  };
  const message = 'Rack hall-2: dhcp is not running: kea does not run';
  for (const action of ['commission', 'deploy', 'test', 'rescue'] as const) {
    const { allowed, warnings } = explain(machine, action, ADMIN);
    expect([allowed, warnings]).toMatchObject([true, [{ code: 'rack.service_down', message }]]);
  }
  expect(explain(machine, 'power-on', ADMIN).warnings).toEqual([]);
  const started = decide(machine, { type: 'commission', actor: ADMIN }, context());
  expect(started.ok && started.events).toContainEqual({
    type: 'NODE_STATUS_EVENT',
    level: 'WARNING',
    description: message,
  });
});

test('a disk that cannot hold a system refuses the deployment, unless it runs from memory', () => {
  const machine = machineIn('READY');
  machine.facts = { ...machine.facts, diskTooSmall: 'The disk has 1000 bytes.' };
  expect(explain(machine, 'deploy', USER).reasons.map(({ code }) => code)).toEqual(['install.disk_too_small']);
  expect(explain(machine, 'deploy', USER, { ephemeral: true }).allowed).toBe(true);
});
