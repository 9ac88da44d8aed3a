import type { MachineView } from '@ingot/contract/native.ts';
import type { NativeClient } from '@ingot/lab/story/native-client.ts';

/**
 * All machines by system_id, asked for once for all who want to know at the same time: fifty lives that each ask for
 * their own machine would be the load that they measure. Never older than the question. Rejects while nobody answers.
 */
export function sharedList(api: NativeClient): () => Promise<Map<string, MachineView>> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Map<string, MachineView>> | null = null;
  const ask = () => {
    next = null;
    const mine = api.machines().then((all) => new Map(all.map((machine) => [machine.systemId, machine])));
    running = mine;
    return mine;
  };
  return () => {
    // The one under way was asked before this question.
    next ??= running.then(ask, ask);
    return next;
  };
}
