import { PowerTypeView, RackToken, RackView, SettingsView } from '@ingot/contract/native.ts';
import { RACK_TLS_PORT } from '@ingot/contract/rack.ts';
import { POWER_TYPES } from '@ingot/core/power/power-types.ts';
import type { PowerType } from '@ingot/core/power/schema.ts';
import * as z from 'zod';
import { createRackToken } from '../../racklink/rack-rows.ts';
import { readSettings, SETTINGS, writeSettings } from '../../store/settings.ts';
import { type ApiFailure, failureFor } from '../failure.ts';
import { racksOf } from '../read/racks.ts';
import { type Route, route } from '../route.ts';

/** Racks and settings. */
export function siteRoutes(): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/racks',
        operation: 'listRacks',
        summary: 'Racks, whether they are connected, and how their services are',
        access: 'user',
        answer: z.array(RackView),
      },
      ({ deps }) => racksOf(deps.db),
    ),
    route(
      {
        method: 'POST',
        path: '/racks/tokens',
        operation: 'createRackToken',
        summary: 'A token with which one rack enrols within 24 h',
        access: 'admin',
        answer: RackToken,
      },
      async ({ deps }) => {
        const door = deps.rackDoor?.() ?? null;
        if (!door) throw noRackDoor();
        const { token, expires } = await createRackToken(deps);
        return { token: `${token}.${door.fingerprint}`, expires: expires.toISOString(), url: door.url };
      },
    ),
    route(
      {
        method: 'GET',
        path: '/power-types',
        operation: 'listPowerTypes',
        summary: 'Ways of switching power, with the fields that each needs',
        access: 'user',
        answer: z.array(PowerTypeView),
      },
      () => Promise.resolve(POWER_TYPES.map(viewOfType)),
    ),
    route(
      {
        method: 'GET',
        path: '/settings',
        operation: 'readSettings',
        summary: 'Every setting',
        access: 'admin',
        answer: SettingsView,
      },
      ({ deps }) => readSettings(deps.db),
    ),
    route(
      {
        method: 'POST',
        path: '/settings',
        operation: 'writeSettings',
        summary: 'Change settings: name to value; answers with all of them',
        access: 'admin',
        body: SettingsView,
        answer: SettingsView,
      },
      async ({ deps, body }) => {
        for (const [name, value] of Object.entries(body)) checkSetting(name, value);
        await writeSettings(deps.db, body);
        deps.changes.announce();
        return readSettings(deps.db);
      },
    ),
  ];
}

function noRackDoor(): ApiFailure {
  return failureFor('rack.no_listener', { port: RACK_TLS_PORT });
}

function checkSetting(name: string, value: unknown): void {
  if (!Object.hasOwn(SETTINGS, name)) {
    throw failureFor('setting.unknown', { name }, { field: name });
  }
  const shape: z.ZodType = SETTINGS[name as keyof typeof SETTINGS];
  const parsed = shape.safeParse(value);
  if (parsed.success) return;
  const why = parsed.error.issues[0]?.message ?? 'is not valid';
  throw failureFor('setting.invalid', { name, why }, { field: name });
}

function viewOfType(type: PowerType): PowerTypeView {
  return {
    name: type.name,
    description: type.description,
    sharesBmc: type.chassis,
    queryable: type.queryable,
    fields: type.fields.map((field) => ({
      name: field.name,
      label: field.label,
      kind: field.field_type,
      required: field.required,
      secret: field.secret,
      choices: field.choices.map(([value, label]) => ({ value, label })),
      default: field.default,
    })),
  };
}
