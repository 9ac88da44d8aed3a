import { ZodError } from 'zod';
import { readSettings, writeSettings } from '../../store/settings.ts';
import { commit } from '../change.ts';
import { isOwnSetting, OTHER_SETTINGS, SETTING_NAMES, type SettingKind } from '../settings-table.ts';
import { json, named, parameter, type Reply, type Resource, text, type UserCall } from '../table.ts';
import { invalidField, missingParameter } from '../wire/errors.ts';
import { lastOf, textOf, type Values } from '../wire/values.ts';

/** `ntp_server` is an old name that clients still use. */
function nameOf(values: Values): string {
  const name = textOf(values, 'name');
  if (name === undefined) throw missingParameter('name');
  const real = name === 'ntp_server' ? 'ntp_servers' : name;
  if (!SETTING_NAMES.includes(real)) {
    throw invalidField(
      real,
      `${real} is not a valid config setting (valid settings are: ${SETTING_NAMES.join(', ')}).`,
    );
  }
  return real;
}

async function get(call: UserCall): Promise<Reply> {
  const name = nameOf(call.query);
  if (isOwnSetting(name)) return json((await readSettings(call.deps.db))[name]);
  const row = await call.deps.db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  const value = row?.value;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return json(value);
  return json(OTHER_SETTINGS[name]?.value ?? null);
}

async function set(call: UserCall): Promise<Reply> {
  const name = nameOf(call.values);
  const given = lastOf(call.values, 'value');
  if (given === undefined) throw missingParameter('value');
  if (isOwnSetting(name)) {
    const current = (await readSettings(call.deps.db))[name];
    try {
      await writeSettings(call.deps.db, { [name]: typeof current === 'boolean' ? booleanOf(name, given) : given });
    } catch (error) {
      if (error instanceof ZodError) throw invalidField(name, error.issues[0]?.message ?? 'Enter a valid value.');
      throw error;
    }
    call.deps.changes.announce();
    return text('OK');
  }
  const value = JSON.stringify(convert(name, OTHER_SETTINGS[name]?.kind ?? 'text', given));
  await commit(call.deps, async (trx) => {
    await trx
      .insertInto('settings')
      .values({ name, value })
      .onConflict((clash) => clash.column('name').doUpdateSet({ value }))
      .execute();
    await trx.insertInto('changes').values({ kind: 'settings', key: name }).execute();
  });
  return text('OK');
}

function convert(name: string, kind: SettingKind, given: string): string | number | boolean {
  switch (kind) {
    case 'text':
      return given;
    case 'boolean':
      return booleanOf(name, given);
    case 'number':
      if (!/^-?\d{1,9}$/.test(given.trim())) throw invalidField(name, 'Enter a whole number.');
      return Number(given);
  }
}

function booleanOf(name: string, given: string): boolean {
  const word = given.trim().toLowerCase();
  if (['true', 't', 'yes', 'y', 'on', '1'].includes(word)) return true;
  if (['false', 'f', 'no', 'n', 'off', '0', ''].includes(word)) return false;
  throw invalidField(name, 'Enter true or false.');
}

const name = parameter('name', 'Name of the setting.', 'String', true);

export const settingsRoutes: readonly Resource[] = [
  {
    paths: ['maas/'],
    anon: null,
    auth: {
      name: 'MaasHandler',
      doc: 'Settings of the site.',
      operations: [
        named('GET', 'get_config', 'user', { title: 'Read a setting', parameters: [name] }, get),
        named(
          'POST',
          'set_config',
          'admin',
          { title: 'Change a setting', parameters: [name, parameter('value', 'The new value.', 'String', true)] },
          set,
        ),
      ],
    },
  },
];
