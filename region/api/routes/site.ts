import { RackToken, RackView, SettingsView } from '@ingot/contract/native.ts';
import { z } from 'zod';
import { createRackToken } from '../../racklink/rack-rows.ts';
import { readSettings, SETTINGS, writeSettings } from '../../store/settings.ts';
import { failureFor } from '../failure.ts';
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
        const { token, expires } = await createRackToken(deps);
        return { token, expires: expires.toISOString() };
      },
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
