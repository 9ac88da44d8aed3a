import type { PowerField, PowerType } from './schema.ts';

/** docs/reference/power-types.md: a test keeps the file what this makes of the data. */
export function powerTypesPage(types: readonly PowerType[]): string {
  const head = [
    '# Power types',
    '',
    'Made from `core/power/`; not to be edited. Set them with `power_type` and `power_parameters_NAME` in the MAAS API, with `powerType` and',
    '`powerParameters` in the native one. Both describe them: `GET /MAAS/api/2.0/rackcontrollers/?op=describe_power_types`, `GET /api/v1/power-types`.',
    'Secrets are stored sealed and are in no list, log or event.',
  ];
  return [...head, ...types.flatMap(section), ''].join('\n');
}

function section(type: PowerType): string[] {
  const words = [
    type.queryable ? 'Its state is asked for, and verified after each change.' : 'Its state is never known.',
    type.chassis ? 'Several machines may share one.' : '',
  ];
  const title = ['', `## ${type.name}`, '', `${type.description}. ${words.filter((word) => word !== '').join(' ')}`];
  if (type.fields.length === 0) return [...title, '', 'No parameters.'];
  return [
    ...title,
    '',
    '| Parameter | Means | Needed | Default |',
    '| --- | --- | --- | --- |',
    ...type.fields.map(row),
  ];
}

function row(field: PowerField): string {
  const usual = Array.isArray(field.default) ? field.default.join(', ') : field.default;
  const choices = field.choices.map(([value, label]) =>
    value === '' ? `empty = ${label}` : `\`${value}\` = ${label}`,
  );
  const means = [
    field.label,
    ...(choices.length > 0 ? [`: ${choices.join('; ')}`] : []),
    field.secret ? ' (secret)' : '',
  ];
  const needed = field.required && usual === '' ? 'yes' : '';
  return `| \`${field.name}\` | ${cell(means.join(''))} | ${needed} | ${usual === '' ? '' : `\`${cell(usual)}\``} |`;
}

const cell = (text: string) => text.replaceAll('|', '\\|');
