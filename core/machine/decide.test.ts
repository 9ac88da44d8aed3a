import { describe, expect, test } from 'vitest';
import { refusal } from './catalogue.ts';
import { decide } from './decide.ts';
import { ADMIN, AGENT, context, machineIn, NOW, OTHER, SYSTEM, TIMER, USER } from './fixture.ts';
import type { Attempt, Command, DecideContext, Decision, Effect, MachineState, Phase } from './model.ts';

type Done = Extract<Decision, { ok: true }>;

function run(machine: MachineState, command: Command, over: Partial<DecideContext> = {}): Done {
  const decision = decide(machine, command, context(over));
  if (!decision.ok) throw new Error(decision.refused.map(({ code }) => code).join());
  return decision;
}
const codes = (machine: MachineState, command: Command): string[] => {
  const decision = decide(machine, command, context());
  return decision.ok ? [] : decision.refused.map(({ code }) => code);
};
const events = (done: Done) => done.events.map(({ type }) => type);
const kinds = (done: Done): Effect['type'][] => done.effects.map(({ type }) => type);
const deploy: Command = {
  type: 'deploy',
  actor: USER,
  osystem: 'debian',
  distroSeries: 'bookworm',
  imageAvailable: true,
};
function inPhase(machine: MachineState, phase: Phase, over: Partial<Attempt> = {}): MachineState {
  const attempt = machine.attempt === null ? null : { ...machine.attempt, phase, ...over };
  return { ...machine, attempt };
}
const evidence = { kind: 'dhcp.lease', text: 'lease' };

describe('enlisting', () => {
  test('ends as New with a passed attempt, and no BMC is contacted', () => {
    const done = run(machineIn('NEW'), { type: 'enlisted', actor: { kind: 'rack', rackId: 'r' } });
    expect(done.machine).toMatchObject({ status: 'NEW', powerWant: null, nextAt: null, bootTarget: 'ephemeral' });
    expect(done.machine.attempt).toMatchObject({ id: 100, kind: 'enlist', outcome: 'passed', endedAt: NOW });
  });
  test('accept starts commissioning with defaults', () => {
    const done = run(machineIn('NEW', { powerState: 'off' }), { type: 'accept', actor: ADMIN });
    expect(done.machine).toMatchObject({ status: 'COMMISSIONING', powerWant: 'on', owner: { name: 'admin' } });
  });
});

describe('commissioning', () => {
  const ready = machineIn('READY');
  test('wants the power cycled under a new generation, clears, makes both script sets', () => {
    const done = run(ready, { type: 'commission', actor: ADMIN, skipStorage: true });
    expect(done.machine).toMatchObject({
      powerWant: 'cycle',
      generation: 6,
      nextAt: NOW,
      previousStatus: 'READY',
      bootTarget: 'ephemeral',
      waitingFor: { code: 'power', deadline: NOW + 300_000 },
    });
    expect(done.effects).toContainEqual({ type: 'prepare-commissioning', clearStorage: false, clearNetwork: true });
    expect(kinds(done).filter((type) => type === 'create-script-set')).toHaveLength(2);
    expect(events(done)).toEqual(['REQUEST_NODE_START_COMMISSIONING', 'NODE', 'NODE_CHANGED_STATUS', 'COMMISSIONING']);
    expect(done.events[1]?.description).toBe("Started commissioning on 'calm-fox'.");
  });
  test('passes to Ready, off and owned by nobody, unless SSH keeps it on', () => {
    const command: Command = { type: 'agent-done', actor: AGENT, attemptId: 7, outcome: 'ok' };
    const owner = { id: 1, name: 'admin' };
    const off = run(machineIn('COMMISSIONING', { owner }), command).machine;
    expect(off).toMatchObject({ status: 'READY', powerWant: 'off', owner: null, bootTarget: 'poweroff' });
    expect(off.attempt).toMatchObject({ outcome: 'passed', endedAt: NOW });
    expect(run(machineIn('COMMISSIONING', { enableSsh: true }), command).machine.powerWant).toBeNull();
  });
  test('a failed result counts whatever the closing word says', () => {
    const machine = machineIn('COMMISSIONING');
    const bad = { ...machine, facts: { ...machine.facts, commissioning: 'failed' as const } };
    const done = run(bad, { type: 'agent-done', actor: AGENT, attemptId: 7, outcome: 'ok', testing: true });
    expect(done.machine).toMatchObject({ status: 'FAILED_COMMISSIONING', powerWant: 'off' });
    expect(done.machine.attempt?.failure).toMatchObject({ code: 'script.failed', evidence: expect.any(String) });
  });
  test('tests that follow share its attempt and end in Ready', () => {
    const testing = run(machineIn('COMMISSIONING'), {
      type: 'agent-done',
      actor: AGENT,
      attemptId: 7,
      outcome: 'ok',
      testing: true,
    }).machine;
    expect(testing).toMatchObject({ status: 'TESTING', attempt: { id: 7, endedAt: null } });
    const done = run(testing, { type: 'agent-done', actor: AGENT, attemptId: 7, outcome: 'ok' });
    expect(done.machine.status).toBe('READY');
  });
});

describe('deploying', () => {
  test('from Ready acquires first', () => {
    const done = run(machineIn('READY'), deploy);
    expect(events(done).filter((type) => type.startsWith('REQUEST'))).toEqual([
      'REQUEST_NODE_ACQUIRE',
      'REQUEST_NODE_START_DEPLOYMENT',
    ]);
    expect(done.machine).toMatchObject({ status: 'DEPLOYING', owner: { name: 'user' }, netboot: true });
    expect(kinds(done)).toEqual(['create-script-set', 'claim-addresses', 'create-instance-token']);
  });
  test('installed: boots its disk from now on; user-data read: Deployed, first boot still open; finish closes it', () => {
    const installed = run(machineIn('DEPLOYING'), { type: 'installed', actor: AGENT, attemptId: 7 }).machine;
    expect(installed).toMatchObject({ netboot: false, bootTarget: 'local', waitingFor: { code: 'reboot' } });
    const dhcp = run(installed, { type: 'phase', actor: SYSTEM, attemptId: 7, phase: 'dhcp', evidence });
    expect(dhcp.machine.attempt?.phase).toBe('reboot');
    const deployed = run(installed, { type: 'instance-user-data', actor: AGENT });
    expect(events(deployed)).toContain('IMAGE_DEPLOYED');
    expect(deployed.machine).toMatchObject({ status: 'DEPLOYED', attempt: { phase: 'first-boot', endedAt: null } });
    const finish: Command = { type: 'instance-finished', actor: AGENT, ok: true, description: '' };
    expect(run(deployed.machine, finish).machine.attempt?.outcome).toBe('passed');
    const failed = run(deployed.machine, { ...finish, ok: false, description: 'bad user-data' });
    expect(failed.machine).toMatchObject({ status: 'DEPLOYED', attempt: { failure: { code: 'cloudinit.failed' } } });
    const late = run(deployed.machine, { type: 'deadline', actor: TIMER }, { now: NOW + 1_800_000 });
    expect(late.machine).toMatchObject({ status: 'DEPLOYED', powerWant: null, attempt: { outcome: 'passed' } });
    const warning = { type: 'NODE_STATUS_EVENT', level: 'WARNING' };
    expect(late.events).toEqual([{ ...warning, description: refusal('stuck.first_boot', { seconds: 1800 }).message }]);
    const released = run(deployed.machine, { type: 'release', actor: USER });
    expect(released.machine).toMatchObject({ status: 'RELEASING', attempt: { id: 100, kind: 'release' } });
    expect(released.closed).toMatchObject({ id: 7, outcome: 'aborted' });
  });
  test('is refused with every reason in causal order', () => {
    const machine = machineIn('NEW', { locked: true, powerType: '', owner: { id: 9, name: 'x' } });
    machine.facts = {
      ...machine.facts,
      rackConnected: false,
      interfaceCount: 0,
      linkedInterfaceCount: 0,
      ephemeralImage: false,
      diskCount: 0,
    };
    expect(codes(machine, { ...deploy, imageAvailable: false })).toEqual([
      'locked',
      'perm.owner',
      'status.wrong',
      'power.unset',
      'rack.none',
      'net.no_interface',
      'net.no_link',
      'image.none',
      'image.arch',
      'storage.none',
    ]);
  });
  test('aborted: allocated to the same owner and agent, switched off', () => {
    const done = run(machineIn('DEPLOYING', { agentName: 'juju' }), { type: 'abort', actor: USER });
    expect(done.machine).toMatchObject({ status: 'ALLOCATED', agentName: 'juju', osystem: '', powerWant: 'off' });
    expect(done.machine.owner?.name).toBe('user');
    expect(done.effects).toEqual([{ type: 'abort-results', kinds: ['installation', 'deployment'], status: 'aborted' }]);
  });
});

describe('releasing', () => {
  const off: Command = { type: 'power-observed', actor: SYSTEM, state: 'off' };
  test('waits for off, then gives everything back', () => {
    const waiting = run(machineIn('DEPLOYED'), { type: 'release', actor: USER }).machine;
    expect(waiting).toMatchObject({ status: 'RELEASING', osystem: '', bootTarget: 'poweroff' });
    expect(waiting.waitingFor).toMatchObject({ code: 'power-off', deadline: NOW + 300_000 });
    const done = run(waiting, off);
    expect(done.machine).toMatchObject({ status: 'READY', owner: null, powerWant: null, nextAt: null });
    expect(kinds(done)).toEqual(['release-addresses', 'clear-owner-data', 'revoke-instance-token']);
  });
  test('a machine that never passed commissioning becomes New, a dynamic one goes', () => {
    const machine = machineIn('RELEASING');
    const unknown = { ...machine, facts: { ...machine.facts, commissioning: 'none' as const } };
    expect(run(unknown, off).machine.status).toBe('NEW');
    expect(kinds(run({ ...machine, dynamic: true }, off))).toContain('delete-machine');
  });
  test('with erase keeps one attempt from the boot to the power-off', () => {
    const erasing = run(machineIn('DEPLOYED'), { type: 'release', actor: USER, quickErase: true }).machine;
    expect(erasing).toMatchObject({
      status: 'DISK_ERASING',
      powerWant: 'cycle',
      erase: { enabled: true, quick: true },
    });
    const releasing = run(inPhase(erasing, 'step:wipe'), {
      type: 'agent-done',
      actor: AGENT,
      attemptId: 100,
      outcome: 'ok',
    });
    expect(events(releasing)).toContain('NODE_DISKS_ERASED');
    expect(releasing.machine).toMatchObject({ status: 'RELEASING', attempt: { id: 100, phase: 'power-off' } });
    expect(run(releasing.machine, off).machine).toMatchObject({ status: 'READY', attempt: { outcome: 'passed' } });
  });
  test("the site's setting overrides the request", () => {
    const settings = { eraseOnRelease: true, secureErase: true, quickErase: false };
    const done = run(machineIn('DEPLOYED'), { type: 'release', actor: USER, quickErase: true }, { settings });
    expect(done.machine.erase).toEqual({ enabled: true, secure: true, quick: false });
  });
  test('by hand: counts as off at once', () => {
    expect(run(machineIn('DEPLOYED', { powerType: 'manual' }), { type: 'release', actor: USER }).machine.status).toBe(
      'READY',
    );
  });
});

describe('power answers', () => {
  const waiting = { ...inPhase(machineIn('COMMISSIONING'), 'power'), powerWant: 'cycle' as const, nextAt: NOW };
  const answer = (outcome: Extract<Command, { type: 'power-result' }>['outcome']): Command => ({
    type: 'power-result',
    actor: SYSTEM,
    attemptId: 7,
    generation: 5,
    outcome,
  });
  const unreachable = answer({ ok: false, class: 'connection', message: 'timeout' });
  test('ok: nothing wanted any more, DHCP is waited for', () => {
    const done = run(waiting, answer({ ok: true, state: 'on' }));
    expect(done.machine).toMatchObject({ powerWant: null, nextAt: null, waitingFor: { code: 'dhcp' } });
  });
  test('a BMC out of reach is tried again after 4, 8, 16, 32 s, then the start is taken back', () => {
    let machine: MachineState = waiting;
    const waits: number[] = [];
    for (let tries = 0; tries < 4; tries += 1) {
      machine = run(machine, unreachable).machine;
      waits.push((machine.nextAt ?? 0) - NOW);
    }
    expect(waits).toEqual([4_000, 8_000, 16_000, 32_000]);
    const done = run(machine, unreachable);
    expect(done.machine).toMatchObject({ status: 'NEW', powerWant: null, nextAt: null, powerState: 'error' });
    expect(done.machine.attempt).toMatchObject({
      outcome: 'failed',
      failure: { code: 'power.connection', evidence: 'timeout' },
    });
    expect(events(done)).toContain('NODE_POWER_QUERY_FAILED');
  });
  test.each([
    ['auth', 'power.auth'],
    ['setting', 'power.setting'],
    ['tool', 'power.tool'],
    ['fatal', 'power.fatal'],
  ] as const)('%s fails at once', (kind, code) => {
    const done = run(waiting, answer({ ok: false, class: kind, message: 'no' }));
    expect(done.machine.attempt?.failure).toMatchObject({ code, evidence: 'no' });
  });
  test('an action that fails to the end names itself', () => {
    const done = run({ ...waiting, powerTries: 4 }, answer({ ok: false, class: 'action', message: 'still off' }));
    expect(done.machine.attempt?.failure).toMatchObject({ code: 'power.action', evidence: 'still off' });
  });
  test('an outstanding switch-off that fails leaves the status alone', () => {
    const ready = machineIn('READY', { powerWant: 'off', nextAt: NOW });
    const done = run(ready, { ...answer({ ok: false, class: 'auth', message: 'no' }), attemptId: null } as Command);
    expect(done.machine).toMatchObject({ status: 'READY', powerWant: null, powerState: 'error' });
    expect(events(done)).toEqual(['NODE_POWER_OFF_FAILED']);
  });
  test('addresses go when an allocated machine is seen off, not when a deployed one is', () => {
    const off: Command = { type: 'power-observed', actor: SYSTEM, state: 'off' };
    expect(kinds(run(machineIn('ALLOCATED'), off))).toEqual(['release-addresses']);
    expect(kinds(run(machineIn('DEPLOYED'), off))).toEqual([]);
  });
  test('leaving rescue mode of a deployed machine ends with the power cycled, not with it still on', () => {
    const exiting = machineIn('EXITING_RESCUE_MODE', { previousStatus: 'DEPLOYED', powerState: 'unknown' });
    const seen = run(exiting, { type: 'power-observed', actor: SYSTEM, state: 'on' }).machine;
    expect(seen.status).toBe('EXITING_RESCUE_MODE');
    const done = run(inPhase(seen, 'power'), answer({ ok: true, state: 'on' }));
    expect(done.machine).toMatchObject({ status: 'DEPLOYED', bootTarget: 'local' });
  });
});

describe('phases', () => {
  const at = (phase: Phase) => ({ ...inPhase(machineIn('COMMISSIONING'), phase), powerWant: null });
  const see = (machine: MachineState, phase: Phase, limitMs?: number) =>
    run(machine, { type: 'phase', actor: SYSTEM, attemptId: 7, phase, evidence, ...(limitMs ? { limitMs } : {}) })
      .machine;
  test('go forward, not back; evidence is kept either way', () => {
    expect(see(at('dhcp'), 'kernel').attempt).toMatchObject({ phase: 'kernel', phaseSince: NOW });
    expect(see(at('script:a'), 'dhcp').attempt).toMatchObject({ phase: 'script:a', lastEvidence: { text: 'lease' } });
    expect(see(at('script:a'), 'script:b').attempt?.phase).toBe('script:b');
  });
  test('start over after a reboot of the ephemeral system', () => {
    expect(see(at('reboot'), 'dhcp').attempt?.phase).toBe('dhcp');
  });
  test('a step that reports progress with its own limit is not stuck', () => {
    expect(see(at('step:erase'), 'step:erase', 900_000).waitingFor?.deadline).toBe(NOW + 900_000);
    expect(see(at('step:erase'), 'step:erase').waitingFor?.deadline).toBe(NOW + 290_000);
  });
  test('while a power cycle is outstanding a DHCP request is a renewal', () => {
    expect(see({ ...at('power'), powerWant: 'cycle', nextAt: NOW }, 'dhcp').attempt?.phase).toBe('power');
  });
  test('a boot script that was fetched proves that the power is on: a late error does not cycle it again', () => {
    const machine: MachineState = { ...at('power'), powerWant: 'cycle', powerState: 'unknown', nextAt: NOW };
    const booting = see(machine, 'kernel');
    expect(booting).toMatchObject({ powerWant: null, nextAt: null, powerState: 'on', attempt: { phase: 'kernel' } });
    const outcome = { ok: false, class: 'connection', message: 'timeout' } as const;
    const late: Command = { type: 'power-result', actor: SYSTEM, attemptId: 7, generation: 5, outcome };
    expect(run(booting, late)).toMatchObject({ note: 'stale', machine: booting });
  });
  test('the agent proves that the machine runs: no second power cycle', () => {
    const machine: MachineState = { ...at('power'), powerWant: 'cycle', nextAt: NOW };
    const done = run(machine, { type: 'agent-session', actor: AGENT, attemptId: 7 }).machine;
    expect(done).toMatchObject({ powerWant: null, nextAt: null, attempt: { phase: 'agent', agentSeen: true } });
  });
});

describe('deadlines name what was waited for, what was seen last, and what to do', () => {
  const late: Command = { type: 'deadline', actor: TIMER };
  test.each([
    ['power', 'stuck.power'],
    ['dhcp', 'stuck.dhcp'],
    ['boot-program', 'stuck.boot_program'],
    ['kernel', 'stuck.kernel'],
    ['agent', 'stuck.agent'],
    ['script:smartctl', 'stuck.script'],
    ['step:unpack', 'stuck.step'],
    ['reboot', 'stuck.reboot'],
  ] as const)('%s → %s', (phase, code) => {
    const done = run(inPhase(machineIn('COMMISSIONING'), phase), late, { now: NOW + 290_000 });
    expect(done.machine).toMatchObject({ status: 'FAILED_COMMISSIONING', powerWant: 'off' });
    expect(done.machine.attempt?.failure).toMatchObject({
      code,
      evidence: 'dhcp.lease: 10.0.0.5 to 52:54:00:00:00:01',
      message: expect.stringMatching(/\d+ s/),
    });
    expect(done.machine.errorDescription).toBe(done.machine.attempt?.failure?.message);
  });
  test('power-off → stuck.power_off, and the power is left alone', () => {
    const done = run(machineIn('RELEASING'), late, { now: NOW + 290_000 });
    expect(done.machine).toMatchObject({ status: 'FAILED_RELEASING', powerWant: null });
    expect(done.machine.attempt?.failure?.code).toBe('stuck.power_off');
  });
  test('a script past its time ends its results as timed out', () => {
    const done = run(inPhase(machineIn('TESTING'), 'script:a'), late, { now: NOW + 290_000 });
    expect(done.effects).toMatchObject([{ type: 'abort-results', status: 'timedout' }]);
  });
  test('nobody answers about a switch-off outside an attempt: it is told and forgotten', () => {
    const command: Command = { type: 'power-off', actor: USER };
    const machine = run(machineIn('DEPLOYED'), command).machine;
    expect(machine.waitingFor).toMatchObject({ code: 'power-off', deadline: NOW + 300_000 });
    const done = run(machine, late, { now: NOW + 300_000 });
    expect(done.machine).toMatchObject({ status: 'DEPLOYED', powerWant: null, waitingFor: null, generation: 7 });
    expect(events(done)).toEqual(['NODE_POWER_OFF_FAILED']);
  });
  test('with manual power the attempt waits for a hand', () => {
    const machine = run(machineIn('READY', { powerType: 'manual' }), { type: 'commission', actor: ADMIN }).machine;
    expect(machine).toMatchObject({ powerWant: null, nextAt: null, waitingFor: { code: 'power.manual' } });
    const dhcp = run(machine, { type: 'phase', actor: SYSTEM, attemptId: 100, phase: 'dhcp', evidence });
    expect(dhcp.machine.attempt?.phase).toBe('dhcp');
  });
});

describe('who may', () => {
  test('a user: own and free machines; an administrator: all; nobody: a locked one', () => {
    const release: Command = { type: 'release', actor: USER };
    expect(codes(machineIn('DEPLOYED'), release)).toEqual([]);
    expect(codes(machineIn('DEPLOYED'), { ...release, actor: OTHER })).toEqual(['perm.owner']);
    expect(codes(machineIn('DEPLOYED'), { ...release, actor: ADMIN })).toEqual([]);
    expect(codes(machineIn('DEPLOYED', { locked: true }), { ...release, actor: ADMIN })).toEqual(['locked']);
    expect(codes(machineIn('READY'), { type: 'commission', actor: USER })).toEqual(['perm.missing']);
    expect(codes(machineIn('READY'), { type: 'mark-broken', actor: USER })).toEqual(['perm.missing']);
    expect(codes(machineIn('DEPLOYED', { locked: true }), { type: 'lock', actor: USER })).toEqual(['lock.already']);
    expect(codes(machineIn('DEPLOYED'), { type: 'unlock', actor: USER })).toEqual(['lock.not_locked']);
  });
  test('timers and agents are not asked, also when the machine is locked', () => {
    const machine = machineIn('DEPLOYING', { locked: true });
    expect(run(machine, { type: 'instance-user-data', actor: AGENT }).machine.status).toBe('DEPLOYED');
  });
});

test('a broken machine was released first, and is Ready when fixed', () => {
  const broken = run(machineIn('DEPLOYED'), { type: 'mark-broken', actor: USER, comment: 'fan' });
  expect(broken.machine).toMatchObject({
    status: 'BROKEN',
    previousStatus: 'RELEASING',
    errorDescription: 'fan',
    osystem: '',
    powerWant: 'off',
  });
  expect(run(broken.machine, { type: 'mark-fixed', actor: ADMIN }).machine).toMatchObject({
    status: 'READY',
    errorDescription: '',
  });
});

test('rescue mode and back keeps the status from before', () => {
  const entering = run(machineIn('DEPLOYED'), { type: 'rescue', actor: ADMIN }).machine;
  expect(entering).toMatchObject({ status: 'ENTERING_RESCUE_MODE', previousStatus: 'DEPLOYED', powerWant: 'cycle' });
  const done: Command = { type: 'agent-done', actor: AGENT, attemptId: 100, outcome: 'ok' };
  const inRescue = run(inPhase(entering, 'agent'), done).machine;
  expect(inRescue).toMatchObject({ status: 'RESCUE_MODE', powerWant: null, bootTarget: 'ephemeral' });
  const exiting = run(inRescue, { type: 'exit-rescue', actor: ADMIN }, { attemptId: 101 }).machine;
  expect(exiting).toMatchObject({ status: 'EXITING_RESCUE_MODE', powerWant: 'cycle', bootTarget: 'local' });
});

test('marked failed says by whom', () => {
  const done = run(machineIn('TESTING'), { type: 'mark-failed', actor: ADMIN, comment: 'noise' });
  expect(done.machine.attempt?.failure).toMatchObject({
    code: 'marked.failed',
    message: 'The work was marked failed by admin: noise',
  });
});

test.each([
  ['COMMISSIONING', 'script.failed'],
  ['TESTING', 'test.failed'],
  ['DEPLOYING', 'install.step_failed'],
  ['DISK_ERASING', 'erase.failed'],
  ['RELEASING', 'release.failed'],
  ['ENTERING_RESCUE_MODE', 'rescue.failed'],
] as const)('a failed %s without a code of its own is %s; with one, that', (status, code) => {
  const machine = inPhase(machineIn(status), 'agent');
  const failed: Command = { type: 'agent-done', actor: AGENT, attemptId: 7, outcome: 'failed' };
  expect(run(machine, failed).machine.attempt?.failure?.code).toBe(code);
  const own = { code: 'install.no_disk', message: 'm', evidence: null, fix: 'f' };
  expect(run(machine, { ...failed, failure: own }).machine.attempt?.failure).toEqual(own);
});
