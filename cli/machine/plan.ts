import { DeployPlanView } from '@ingot/contract/plan.ts';
import { EXIT, type ExitCode } from '../failure.ts';
import { deployPlan } from '../format/deploy-plan.ts';
import type { Session } from '../session.ts';

/** `ingot deploy NAME --plan`: nothing is touched. The exit code says whether the deployment would be refused. */
export async function showPlan(session: Session, name: string, image: string | undefined): Promise<ExitCode> {
  const path = `/machines/${encodeURIComponent(name)}/deploy/plan`;
  const plan = await session.client.post(path, { image }, DeployPlanView);
  session.print(plan, () => deployPlan(name, plan, session.colours));
  return plan.possible ? EXIT.ok : EXIT.refused;
}
