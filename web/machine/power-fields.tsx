import type { PowerTypeView } from '@ingot/contract/native.ts';
import { MultiSelect, PasswordInput, Select, TextInput } from '@mantine/core';
import { fieldProblem } from '../api/client.ts';

type Field = PowerTypeView['fields'][number];

const listOf = (text: string): string[] => text.split(',').filter((part) => part !== '');

/** One field of a power type as its schema describes it; what the region refused about it stands beside it. */
export function PowerField({
  field,
  value,
  stored,
  refused,
  change,
}: {
  field: Field;
  value: string;
  /** The machine has settings of this type: a secret that stays empty is kept. */
  stored: boolean;
  refused: unknown;
  change: (value: string) => void;
}) {
  const common = {
    label: field.label,
    withAsterisk: field.required,
    error: fieldProblem(refused, `powerParameters.${field.name}`),
  };
  const choices = field.choices.filter((choice) => choice.value !== '');
  const usual = field.choices.find((choice) => choice.value === field.default)?.label;
  switch (field.kind) {
    case 'choice':
      return (
        <Select
          {...common}
          data={choices}
          value={value || null}
          placeholder={usual ?? 'The driver’s own choice'}
          clearable
          clearButtonProps={{ 'aria-label': `Clear ${field.label}` }}
          onChange={(chosen) => change(chosen ?? '')}
        />
      );
    case 'multiple_choice':
      return <MultiSelect {...common} data={choices} value={listOf(value)} onChange={(all) => change(all.join(','))} />;
    case 'password':
      return (
        <PasswordInput
          {...common}
          description={stored ? 'Never shown. Left empty, the stored one stays.' : null}
          autoComplete="new-password"
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
        />
      );
    case 'string':
    case 'mac_address':
      return (
        <TextInput
          {...common}
          placeholder={typeof field.default === 'string' ? field.default : ''}
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
        />
      );
  }
}
