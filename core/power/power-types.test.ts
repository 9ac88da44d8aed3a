import { expect, it } from 'vitest';
import {
  missingFields,
  POWER_TYPES,
  powerTypeOf,
  QUERYABLE_TYPES,
  secretFieldsOf,
  wrongChoices,
} from './power-types.ts';

it('every password is a secret, and nothing else is', () => {
  for (const type of POWER_TYPES) {
    for (const field of type.fields)
      expect([type.name, field.name, field.secret]).toEqual([type.name, field.name, field.field_type === 'password']);
  }
  expect(secretFieldsOf('ipmi')).toEqual(['power_pass', 'k_g']);
  expect(secretFieldsOf('redfish')).toEqual(['power_pass']);
  expect(secretFieldsOf('webhook')).toEqual(['power_pass', 'power_token']);
  expect(secretFieldsOf('abacus')).toEqual([]);
});

it('a default is one of the choices', () => {
  for (const field of POWER_TYPES.flatMap((type) => type.fields)) {
    if (field.field_type === 'choice') expect(field.choices.map(([value]) => value)).toContain(field.default);
  }
});

it('names what is missing and what is no choice', () => {
  const webhook = powerTypeOf('webhook');
  if (!webhook) throw new Error('webhook is no power type');
  const given = { power_on_uri: 'https://a/on', power_off_uri: ' ', power_verify_ssl: 'perhaps' };
  expect(missingFields(webhook, given).map((field) => field.name)).toEqual(['power_off_uri', 'power_query_uri']);
  expect(wrongChoices(webhook, given).map((field) => field.name)).toEqual(['power_verify_ssl']);
});

it('only machines that can be asked are asked', () => {
  expect(QUERYABLE_TYPES).toEqual(['ipmi', 'redfish', 'webhook']);
});
