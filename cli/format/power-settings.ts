import type { PowerParametersView, PowerTypeView } from '@ingot/contract/native.ts';
import { table } from './table.ts';

/** How a machine's power is switched: every field of its type with its value, and what the field takes. */
export function powerSettings(name: string, settings: PowerParametersView, types: readonly PowerTypeView[]): string {
  const names = types.map((type) => type.name).join(', ');
  const type = types.find((one) => one.name === settings.powerType);
  if (!type) {
    const now = settings.powerType === '' ? 'has no power type yet' : `has power type ${settings.powerType}`;
    return `${name} ${now}. Set one with: ingot power-settings ${name} --type TYPE\nTypes: ${names}\n`;
  }
  const head = `${name}: ${type.name} (${type.description})\n`;
  if (type.fields.length === 0) return head;
  const rows = type.fields.map((field) => [
    field.name,
    field.secret ? '(never shown)' : settings.parameters[field.name] || '–',
    [
      field.label,
      field.required && field.default === '' ? 'required' : '',
      field.choices.map(({ value }) => value || "''").join('|'),
    ]
      .filter((part) => part !== '')
      .join('; '),
  ]);
  return head + table(['FIELD', 'VALUE', 'MEANING'], rows);
}
