import { abort } from './aborting.ts';
import { agentDone, agentSession, phaseSeen } from './agent.ts';
import { accept, commission, enlisted } from './commissioning.ts';
import { allocate, deploy, installed, instanceFinished, instanceUserData } from './deploying.ts';
import { markBroken, markFailed, markFixed, remove, setLock } from './marking.ts';
import type { Command, DecideContext, Decision, MachineState } from './model.ts';
import { power, powerObserved, powerResult } from './power.ts';
import { release } from './releasing.ts';
import { exitRescue, rescue } from './rescue.ts';
import { overrideFailedTesting, test } from './testing.ts';
import { deadline } from './timers.ts';

/**
 * What happens to the machine by this command: the new row with events and effects, or why not. Pure; the machine given
 * is not changed. Everything that can happen to a machine comes in here: people, agents, racks and timers.
 */
export function decide(machine: MachineState, command: Command, context: DecideContext): Decision {
  switch (command.type) {
    case 'accept':
      return accept(machine, command, context);
    case 'commission':
      return commission(machine, command, context);
    case 'enlisted':
      return enlisted(machine, command, context);
    case 'test':
      return test(machine, command, context);
    case 'override-failed-testing':
      return overrideFailedTesting(machine, command, context);
    case 'abort':
      return abort(machine, command, context);
    case 'allocate':
      return allocate(machine, command, context);
    case 'deploy':
      return deploy(machine, command, context);
    case 'installed':
      return installed(machine, command, context);
    case 'instance-user-data':
      return instanceUserData(machine, context);
    case 'instance-finished':
      return instanceFinished(machine, command, context);
    case 'release':
      return release(machine, command, context);
    case 'rescue':
      return rescue(machine, command, context);
    case 'exit-rescue':
      return exitRescue(machine, command, context);
    case 'mark-broken':
      return markBroken(machine, command, context);
    case 'mark-fixed':
      return markFixed(machine, command, context);
    case 'mark-failed':
      return markFailed(machine, command, context);
    case 'lock':
    case 'unlock':
      return setLock(machine, command, context);
    case 'delete':
      return remove(machine, command, context);
    case 'power-on':
    case 'power-off':
      return power(machine, command, context);
    case 'power-result':
      return powerResult(machine, command, context);
    case 'power-observed':
      return powerObserved(machine, command, context);
    case 'phase':
      return phaseSeen(machine, command, context);
    case 'agent-session':
      return agentSession(machine, command, context);
    case 'agent-done':
      return agentDone(machine, command, context);
    case 'deadline':
      return deadline(machine, command, context);
  }
}
