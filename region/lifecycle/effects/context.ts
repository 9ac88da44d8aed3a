import type { MachineState } from '@ingot/core/machine/model.ts';
import type { Transaction } from 'kysely';
import type { Sealer } from '../../deps.ts';
import type { Tables } from '../../store/schema.ts';
import type { Settings } from '../../store/settings.ts';

/** What an effect may use: the door's transaction and the state that was just saved. */
export interface EffectContext {
  trx: Transaction<Tables>;
  sealer: Sealer;
  settings: Settings;
  machineId: number;
  machine: MachineState;
}
