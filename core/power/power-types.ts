import { IPMI } from './ipmi.ts';
import { REDFISH } from './redfish.ts';
import { type PowerField, type PowerType, powerType } from './schema.ts';
import { WEBHOOK } from './webhook.ts';

/** A person presses the button. */
export const MANUAL: PowerType = powerType('manual', 'Manual', { queryable: false });

/** Every way of switching power that a rack has a driver for, by name. */
export const POWER_TYPES: readonly PowerType[] = [IPMI, MANUAL, REDFISH, WEBHOOK];

/** Undefined for a type that no rack knows. */
export function powerTypeOf(name: string): PowerType | undefined {
  return POWER_TYPES.find((type) => type.name === name);
}

/** Names of the types whose machines can be asked for their state. */
export const QUERYABLE_TYPES: readonly string[] = POWER_TYPES.filter((type) => type.queryable).map((type) => type.name);

/** Names of the fields that are stored sealed and masked in answers; none for an unknown type. */
export function secretFieldsOf(name: string): string[] {
  return (powerTypeOf(name)?.fields ?? []).filter((field) => field.secret).map((field) => field.name);
}

/** Required fields that are neither given nor have a default. */
export function missingFields(type: PowerType, parameters: Readonly<Record<string, string>>): PowerField[] {
  return type.fields.filter(
    (field) => field.required && field.default === '' && (parameters[field.name] ?? '').trim() === '',
  );
}

/** Choice fields whose value is none of the choices; an empty one stands for the default. */
export function wrongChoices(type: PowerType, parameters: Readonly<Record<string, string>>): PowerField[] {
  return type.fields.filter((field) => {
    const value = parameters[field.name] ?? '';
    return field.field_type === 'choice' && value !== '' && !field.choices.some(([choice]) => choice === value);
  });
}
