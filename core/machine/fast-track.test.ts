import { describe, expect, test } from 'vitest';
import { decide } from './decide.ts';
import { ADMIN, AGENT, context, machineIn, NOW, SYSTEM, TIMER } from './fixture.ts';
import type { Command, DecideContext, MachineState } from './model.ts';
import type { Status } from './status.ts';

const MINUTES = 60_000;
const keeping = (over: Partial<DecideContext> = {}) => context({ fastTrackMs: 10 * MINUTES, ...over });

function after(machine: MachineState, command: Command, with_: DecideContext) {
  const decision = decide(machine, command, with_);
  if (!decision.ok) throw new Error(decision.refused.map(({ message }) => message).join());
  return decision;
}

const done = (machine: MachineState): Command => ({
  type: 'agent-done',
  actor: AGENT,
  attemptId: machine.attempt?.id ?? 0,
  outcome: 'ok',
});

/** On, idle, its agent asking for work. */
function kept(status: Status, agentWaiting = true): MachineState {
  const machine = machineIn(status);
  const waitingFor = { code: 'fast-track', since: NOW, deadline: NOW + 10 * MINUTES };
  return { ...machine, waitingFor, facts: { ...machine.facts, agentWaiting } };
}

const commission: Command = { type: 'commission', actor: ADMIN };
const deploy: Command = {
  type: 'deploy',
  actor: ADMIN,
  osystem: 'debian',
  distroSeries: 'bookworm',
  imageAvailable: true,
};

describe('after its work', () => {
  test.each([
    ['COMMISSIONING', 'READY'],
    ['TESTING', 'READY'],
  ] as const)('%s: the machine is %s, on, and says until when', (status, next) => {
    const machine = machineIn(status);
    const { machine: is } = after(machine, done(machine), keeping());
    expect(is).toMatchObject({ status: next, powerState: 'on', powerWant: null });
    expect(is.waitingFor).toEqual({ code: 'fast-track', since: NOW, deadline: NOW + 10 * MINUTES });
  });

  test.each([
    ['the site does not want it', {}, context()],
    ['people may log in to it', { enableSsh: true }, keeping()],
  ])('it is not kept where %s', (_why, over, with_) => {
    const machine = machineIn('COMMISSIONING', over);
    expect(after(machine, done(machine), with_).machine.waitingFor?.code).not.toBe('fast-track');
  });

  test('when the time is over it is switched off, and before that nothing happens', () => {
    expect(decide(kept('READY'), { type: 'deadline', actor: TIMER }, keeping())).toMatchObject({ note: 'no-op' });
    const late = keeping({ now: NOW + 10 * MINUTES });
    const { machine } = after(kept('READY'), { type: 'deadline', actor: TIMER }, late);
    expect(machine).toMatchObject({ status: 'READY', powerWant: 'off' });
    expect(machine.waitingFor?.code).toBe('power-off');
  });

  test('the BMC of one that nobody has accepted is left alone', () => {
    const fresh = kept('NEW');
    const machine = { ...fresh, facts: { ...fresh.facts, commissioning: 'none' as const } };
    const late = keeping({ now: NOW + 10 * MINUTES });
    const { machine: is } = after(machine, { type: 'deadline', actor: TIMER }, late);
    expect(is).toMatchObject({ powerWant: null, waitingFor: null, generation: machine.generation });
  });

  test('seen off, it waits for nothing', () => {
    const seen: Command = { type: 'power-observed', actor: SYSTEM, state: 'off' };
    expect(after(kept('READY'), seen, keeping()).machine).toMatchObject({ powerState: 'off', waitingFor: null });
  });
});

describe('work that finds an agent waiting', () => {
  test.each([
    ['commission', commission],
    ['test', { type: 'test', actor: ADMIN } as Command],
    ['deploy', deploy],
  ])('%s begins with it and wants nothing of the power', (_name, command) => {
    const before = kept('READY');
    const { machine, effects } = after(before, command, keeping());
    expect(machine).toMatchObject({ powerWant: null, generation: before.generation, bootTarget: 'ephemeral' });
    expect(machine.attempt).toMatchObject({ phase: 'agent', agentSeen: false, deadline: NOW + 30_000 });
    expect(effects).toContainEqual({ type: 'hand-over-agent' });
  });

  test.each([
    ['its agent is silent', kept('READY', false), commission],
    ['somebody is to log in', kept('READY'), { ...commission, enableSsh: true } as Command],
    ['the system is to run from memory', kept('READY'), { ...deploy, ephemeral: true } as Command],
  ])('a boot of its own where %s', (_why, before, command) => {
    const { machine, effects } = after(before, command, keeping());
    expect(machine).toMatchObject({ powerWant: 'cycle', attempt: { phase: 'power' } });
    expect(effects).not.toContainEqual({ type: 'hand-over-agent' });
  });

  test('an agent that does not begin is dismissed and the machine booted, in the same attempt', () => {
    const { machine } = after(kept('READY'), deploy, keeping());
    const late = keeping({ now: NOW + 30_000 });
    const { machine: is, effects } = after(machine, { type: 'deadline', actor: TIMER }, late);
    expect(is).toMatchObject({ status: 'DEPLOYING', powerWant: 'cycle', attempt: { phase: 'power', endedAt: null } });
    expect(is.attempt?.id).toBe(machine.attempt?.id);
    expect(is.attempt?.lastEvidence?.text).toContain('did not begin within 30 s');
    expect(effects).toContainEqual({ type: 'dismiss-agent' });
  });

  test('one that has begun has the usual time, and then the attempt fails as usual', () => {
    const { machine } = after(kept('READY'), deploy, keeping());
    const attemptId = machine.attempt?.id ?? 0;
    const begun = after(
      machine,
      { type: 'agent-session', actor: AGENT, attemptId },
      keeping({ now: NOW + 1000 }),
    ).machine;
    expect(begun.attempt).toMatchObject({ phase: 'agent', agentSeen: true, deadline: NOW + 301_000 });
    const late = keeping({ now: NOW + 400_000 });
    expect(after(begun, { type: 'deadline', actor: TIMER }, late).machine.status).toBe('FAILED_DEPLOYMENT');
  });
});

test('a system that starts by kexec says so in the phase reboot', () => {
  const machine = machineIn('DEPLOYING');
  const command: Command = { type: 'installed', actor: AGENT, attemptId: machine.attempt?.id ?? 0, kexec: true };
  const decision = after(machine, command, context());
  expect(decision.machine.attempt).toMatchObject({ phase: 'reboot', lastEvidence: { kind: 'agent.kexec' } });
  expect(decision.events).toContainEqual({ type: 'REBOOTING', level: 'INFO', description: 'by kexec' });
});
