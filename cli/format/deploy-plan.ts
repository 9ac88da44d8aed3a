import type { DeployPlanView } from '@ingot/contract/plan.ts';
import type { Palette } from './colour.ts';

/** What would happen, in order, and below it what speaks against it with its way out. */
export function deployPlan(machine: string, plan: DeployPlanView, colours: Palette): string {
  const verdict = plan.possible ? colours.green('possible') : colours.red('not possible');
  const lines = [`${colours.bold('deploy')} ${plan.image} on ${machine}: ${verdict}`];
  let area = '';
  for (const step of plan.steps) {
    lines.push(`  ${(step.area === area ? '' : step.area).padEnd(8)} ${step.text}`);
    area = step.area;
  }
  for (const { severity, code, message, fix } of plan.findings) {
    const mark = severity === 'refusal' ? colours.red('✗') : colours.yellow('!');
    lines.push(`  ${mark} ${message} (${code})`, `      → ${fix}`);
  }
  return `${lines.join('\n')}\n`;
}
