import type { Inventory } from '@ingot/contract/agent.ts';
import { factsFromInventory, type HardwareFacts } from '@ingot/core/hardware/facts.ts';
import { storableJson } from '../../store/storable.ts';

/** What an inventory tells, with every string as it can be stored, those in a tool's own JSON as well. */
export function storableFacts(inventory: Inventory): HardwareFacts {
  // Facts are numbers, strings, null and lists and objects of these: JSON gives back what it was given.
  return JSON.parse(storableJson(factsFromInventory(inventory)));
}
