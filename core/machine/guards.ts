import { type Action, type ActionRule, NEEDS, type Need, RULES } from './actions.ts';
import { refusal } from './catalogue.ts';
import { isManual } from './draft.ts';
import type { Actor, MachineState, Refusal } from './model.ts';
import { wayTo } from './paths.ts';
import { STATUS_LABELS } from './status.ts';
import { hasWork } from './transitions.ts';

/** What a guard must know of the request beside machine and actor. */
export interface Asked {
  /** deploy: the chosen image, looked up by the caller; undefined = not chosen yet, not checked. */
  imageAvailable?: boolean;
  image?: string;
  /** deploy: the system runs from memory, no disk is needed. */
  ephemeral?: boolean;
  /** release: something runs in the machine first. */
  erase?: boolean;
}

export interface Checked {
  refused: Refusal[];
  warnings: Refusal[];
  /** Accepted, and there is nothing to do. */
  silent: boolean;
}

/**
 * The one place that knows whether an action is possible: decide() refuses by it and explain() reports it. All reasons
 * are given, in causal order: locked, permission, status, power, rack, network, image, storage; then warnings.
 */
export function check(machine: MachineState, action: Action, actor: Actor, asked: Asked = {}): Checked {
  const rule = RULES[action];
  const refused: Refusal[] = [...mayAct(machine, rule, actor)];
  const warnings: Refusal[] = [];
  const silent = rule.silent.includes(machine.status);
  if (silent) return { refused, warnings, silent: true };
  const wrong = statusRefusal(machine, action, rule);
  if (wrong !== null) refused.push(wrong);
  // A plain release runs nothing in the machine, so it needs nothing.
  const needs = action === 'release' && !asked.erase ? [] : NEEDS.filter((need) => rule.needs.includes(need));
  if (isManual(machine) && needs.includes('power')) {
    warnings.push(refusal('power.manual', { machine: machine.hostname }));
  }
  for (const need of needs) {
    const missing = missingFor(machine, need, action, asked);
    if (missing === null) continue;
    if (need === 'ssh-key') warnings.push(missing);
    else refused.push(missing);
  }
  // Switching power needs a rack, but nothing that it serves.
  const boots = needs.includes('rack') && action !== 'power-on' && action !== 'power-off';
  const { bootServiceDown } = machine.facts;
  if (boots && bootServiceDown !== null) warnings.push(refusal('rack.service_down', bootServiceDown));
  return { refused, warnings, silent: false };
}

function mayAct(machine: MachineState, rule: ActionRule, actor: Actor): Refusal[] {
  if (actor.kind !== 'user') return [];
  const refused: Refusal[] = [];
  if (machine.locked && rule.permission !== 'lock') refused.push(refusal('locked', { machine: machine.hostname }));
  if (actor.admin) return refused;
  const params = { action: rule.name.toLowerCase(), machine: machine.hostname, owner: machine.owner?.name ?? 'nobody' };
  if (rule.permission === 'admin') {
    refused.push(refusal('perm.missing', { ...params, need: 'an administrator' }));
  } else if (machine.owner !== null && machine.owner.id !== actor.id) {
    refused.push(refusal('perm.owner', params));
  } else if (machine.owner === null && rule.permission === 'owner') {
    refused.push(refusal('perm.missing', { ...params, need: 'its owner' }));
  }
  return refused;
}

function statusRefusal(machine: MachineState, action: Action, rule: ActionRule): Refusal | null {
  if (action === 'unlock') return machine.locked ? null : refusal('lock.not_locked');
  if (action === 'lock' && machine.locked) return refusal('lock.already');
  if (rule.statuses.includes(machine.status)) return null;
  const label = STATUS_LABELS[machine.status];
  const busy = hasWork(machine.status);
  if (action === 'power-on' && !busy) {
    if (machine.status === 'ALLOCATED') {
      const fix = 'Deploy it: an allocated machine is switched on by its deployment.';
      return refusal('status.wrong', { action: rule.name, status: label, path: fix });
    }
    if (machine.owner !== null) return null;
  }
  const params = { action: rule.name, status: label, path: wayTo(machine, action) };
  const message = rule.wrong?.replace('%s', label);
  return refusal(busy ? 'status.busy' : 'status.wrong', params, message === undefined ? {} : { message });
}

function missingFor(machine: MachineState, need: Need, action: Action, asked: Asked): Refusal | null {
  const { facts } = machine;
  const params = { machine: machine.hostname };
  switch (need) {
    case 'power':
      return machine.powerType === '' ? refusal('power.unset', params) : null;
    case 'rack':
      if (isManual(machine) && (action === 'power-on' || action === 'power-off')) return null;
      return facts.rackConnected ? null : refusal('rack.none', params);
    case 'interface': {
      // A machine known by its BMC alone learns its interfaces in commissioning.
      const learns = (action === 'commission' || action === 'accept') && machine.powerType === 'ipmi';
      return facts.interfaceCount > 0 || learns ? null : refusal('net.no_interface', params);
    }
    case 'link':
      return facts.linkedInterfaceCount > 0 ? null : refusal('net.no_link', params);
    case 'commissioned':
      return machine.status === 'NEW' && facts.commissioning === 'none' ? refusal('commissioning.none', params) : null;
    case 'ephemeral-image':
      return facts.ephemeralImage
        ? null
        : refusal('image.none', { image: `the ephemeral system for ${facts.architecture || 'this architecture'}` });
    case 'image':
      return asked.imageAvailable === false
        ? refusal('image.arch', { image: asked.image ?? 'asked for', architecture: facts.architecture })
        : null;
    case 'storage':
      if (asked.ephemeral) return null;
      if (facts.diskCount === 0) return refusal('storage.none', params);
      return facts.diskTooSmall === null ? null : refusal('install.disk_too_small', { detail: facts.diskTooSmall });
    case 'ssh-key':
      return facts.ownerHasSshKey ? null : refusal('user.no_ssh_key', params);
  }
}
