import { BUILTIN_SCRIPTS } from '../../lifecycle/builtin-scripts.ts';
import { invalidField } from '../wire/errors.ts';
import { lastOf, namesOf, type Values } from '../wire/values.ts';

/**
 * One comma-separated value of script names and tags; when the key is repeated only the last counts (conventions §6).
 * Undefined when absent, so that the defaults apply; `none` stays that word where it is allowed. 400 otherwise.
 */
export function scriptNames(
  values: Values,
  field: string,
  kind: 'commissioning' | 'testing' | 'release',
  noneAllowed: boolean,
): string[] | undefined {
  const text = lastOf(values, field)?.trim();
  if (text === undefined || text === '') return undefined;
  if (text === 'none' && noneAllowed) return [text];
  const wanted = text.split(',').map((word) => word.trim());
  const chosen = new Set<string>();
  for (const word of wanted.filter((name) => name !== '')) {
    const found = BUILTIN_SCRIPTS.filter(
      (script) => script.kind === kind && (script.name === word || script.tags.includes(word)),
    );
    if (found.length === 0) {
      throw invalidField(field, `Select a valid choice. ${word} is not one of the available choices.`);
    }
    for (const script of found) chosen.add(script.name);
  }
  return [...chosen];
}

/** Parameters of scripts come beside the options, as `<parameter>` or `<script>_<parameter>`. None of ours takes any. */
const OPTIONS = new Set([
  'op',
  'comment',
  'enable_ssh',
  'skip_bmc_config',
  'skip_networking',
  'skip_storage',
  'commissioning_scripts',
  'testing_scripts',
  'scripts',
  'erase',
  'secure_erase',
  'quick_erase',
  'force',
]);

export function scriptParameters(values: Values): Record<string, string> | undefined {
  const names = namesOf(values).filter((name) => !OPTIONS.has(name));
  const scripts = names.filter((name) => BUILTIN_SCRIPTS.some((script) => name.startsWith(`${script.name}_`)));
  if (scripts.length === 0) return undefined;
  return Object.fromEntries(scripts.map((name) => [name, lastOf(values, name) ?? '']));
}
