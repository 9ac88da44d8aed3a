import type { LifecycleAction } from './actions.ts';
import { type Asked, check } from './guards.ts';
import type { Actor, MachineState, Refusal } from './model.ts';

export interface Explanation {
  action: LifecycleAction;
  allowed: boolean;
  /** Every reason why not, in causal order. */
  reasons: Refusal[];
  warnings: Refusal[];
}

/** May this be done now, and if not, why: the guards of decide() asked without doing anything. */
export function explain(machine: MachineState, action: LifecycleAction, actor: Actor, extra: Asked = {}): Explanation {
  const { refused, warnings } = check(machine, action, actor, extra);
  return { action, allowed: refused.length === 0, reasons: refused, warnings };
}
