import type { Effect } from '@ingot/core/machine/model.ts';
import { createInstanceToken, revokeInstanceToken } from '../../accounts/instance-tokens.ts';
import { claimAddresses, releaseAddresses } from '../../network/auto-addresses.ts';
import { abortResults } from './abort-results.ts';
import type { EffectContext } from './context.ts';
import { deleteMachine } from './delete-machine.ts';
import { dismissAgent, handOverAgent } from './hand-over-agent.ts';
import { prepareCommissioning } from './prepare-commissioning.ts';
import { createScriptSet } from './script-sets.ts';

/** Does in the door's transaction what the decision asks for beside saving the row. */
export async function carryOut(context: EffectContext, effect: Effect): Promise<void> {
  switch (effect.type) {
    case 'create-script-set':
      return createScriptSet(context, effect);
    case 'abort-results':
      return abortResults(context, effect.kinds, effect.status);
    case 'prepare-commissioning':
      return prepareCommissioning(context, effect);
    case 'claim-addresses':
      return claimAddresses(context.trx, context.machineId);
    case 'release-addresses':
      return releaseAddresses(context.trx, context.machineId);
    case 'create-instance-token':
      return createInstanceToken(context.trx, context.sealer, context.machineId);
    case 'revoke-instance-token':
      return revokeInstanceToken(context.trx, context.machineId);
    case 'clear-owner-data':
      await context.trx.deleteFrom('owner_data').where('machine_id', '=', context.machineId).execute();
      return;
    case 'delete-machine':
      return deleteMachine(context);
    case 'hand-over-agent':
      return handOverAgent(context);
    case 'dismiss-agent':
      return dismissAgent(context);
  }
}
