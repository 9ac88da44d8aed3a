import { eraseDisks } from '../erase.ts';
import { type Builtin, failed, passed } from './builtin.ts';

/** wipe-disks: the release script; the same work as an erase task, with the script's two parameters. */
export const wipeDisks: Builtin = async ({ item }) => {
  const lines: string[] = [];
  const chosen = (name: string) => {
    const parameter: unknown = item.parameters[name];
    const value: unknown = typeof parameter === 'object' && parameter !== null ? Object(parameter).value : parameter;
    return value === true || value === 'true';
  };
  const outcome = await eraseDisks({
    secure: chosen('secure_erase'),
    quick: chosen('quick_erase'),
    log: (line) => lines.push(line),
    onProgress: () => undefined,
  });
  const text = `${lines.join('\n')}\n`;
  return outcome.ok ? passed(text) : failed(1, text, `${outcome.message}\n`);
};
