import type { Explain } from '@ingot/contract/native.ts';
import type { Palette } from './colour.ts';

/** Whether an action is possible, and every reason why not with its way out, the first one being the cause to begin with. */
export function explanation(machine: string, explain: Explain, colours: Palette): string {
  const verdict = explain.allowed ? colours.green('possible') : colours.red('not possible');
  const lines = [`${colours.bold(explain.action)} ${machine}: ${verdict}`];
  for (const reason of explain.reasons) {
    lines.push(`  ${colours.red('✗')} ${reason.message} (${reason.code})`, `      → ${reason.fix}`);
  }
  for (const warning of explain.warnings) {
    lines.push(`  ${colours.yellow('!')} ${warning.message} (${warning.code})`, `      → ${warning.fix}`);
  }
  return `${lines.join('\n')}\n`;
}
