import { UefiBootChain } from '@ingot/contract/rack.ts';
import type { Kysely, Transaction } from 'kysely';
import * as z from 'zod';
import type { Tables } from './schema.ts';

/** Settings that Ingot reads, with their shape and default; a missing row means the default. */
export const SETTINGS = {
  /** Seconds that a phase of an attempt may take, by phase (`step:image`) or class of phases (`dhcp`, `script`); else core's. */
  phase_limits: z.record(z.string().max(128), z.number().min(1).max(2_592_000)).default({}),
  node_timeout: z.coerce.number().int().min(1).default(30),
  default_osystem: z.string().default('debian'),
  default_distro_series: z.string().default('bookworm'),
  commissioning_osystem: z.string().default('debian'),
  commissioning_distro_series: z.string().default('bookworm'),
  default_min_hwe_kernel: z.string().default(''),
  default_storage_layout: z.string().default('flat'),
  default_boot_interface_link_type: z.enum(['auto', 'dhcp', 'static', 'link_up']).default('auto'),
  enable_disk_erasing_on_release: z.boolean().default(false),
  disk_erase_with_secure_erase: z.boolean().default(true),
  disk_erase_with_quick_erase: z.boolean().default(false),
  /** Minutes for which a machine stays on after enlisting, commissioning or testing, for work that follows; 0: it goes off. */
  fast_track: z.coerce.number().min(0).max(60).default(0),
  /** The installed system is started by kexec instead of a reset. */
  kexec: z.boolean().default(false),
  enlist_commissioning: z.boolean().default(true),
  kernel_opts: z.string().nullable().default(''),
  /** What UEFI machines are told to boot; `signed` for sites that enforce Secure Boot. */
  uefi_boot_chain: UefiBootChain.default('ipxe'),
  upstream_dns: z.string().nullable().default(''),
  maas_name: z.string().default('ingot'),
  session_length: z.coerce.number().int().min(10).max(1_209_600).default(1_209_600),
  maas_auto_ipmi_user: z.string().max(20).default('maas'),
  maas_auto_ipmi_user_privilege_level: z.enum(['USER', 'OPERATOR', 'ADMIN']).default('ADMIN'),
  maas_auto_ipmi_k_g_bmc_key: z.string().default(''),
  maas_auto_ipmi_cipher_suite_id: z.coerce.string().default('3'),
  max_node_commissioning_results: z.coerce.number().int().min(1).default(10),
  max_node_testing_results: z.coerce.number().int().min(1).default(10),
  max_node_installation_results: z.coerce.number().int().min(1).default(3),
  max_node_release_results: z.coerce.number().int().min(1).default(3),
  max_node_deployment_results: z.coerce.number().int().min(1).default(3),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Settings = { [Name in SettingName]: z.output<(typeof SETTINGS)[Name]> };

const allSettings = z.object(SETTINGS);

/** All settings that Ingot knows; a stored value of the wrong shape counts as the default rather than stopping the site. */
export async function readSettings(db: Kysely<Tables> | Transaction<Tables>): Promise<Settings> {
  return settingsOf(await db.selectFrom('settings').select(['name', 'value']).execute());
}

/** The same of rows that were read together with something else. */
export function settingsOf(rows: readonly { name: string; value: unknown }[]): Settings {
  const stored: Record<string, unknown> = {};
  for (const row of rows) {
    if (!(row.name in SETTINGS)) continue;
    const shape = SETTINGS[row.name as SettingName];
    if (shape.safeParse(row.value).success) stored[row.name] = row.value;
  }
  return allSettings.parse(stored);
}

/** Stores settings after checking their shape; throws ZodError on a bad value. Announces the change to streams. */
export async function writeSettings(db: Kysely<Tables>, values: Partial<Record<SettingName, unknown>>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    for (const [name, value] of Object.entries(values)) {
      const checked = JSON.stringify(SETTINGS[name as SettingName].parse(value));
      await trx
        .insertInto('settings')
        .values({ name, value: checked })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: checked }))
        .execute();
      await trx.insertInto('changes').values({ kind: 'settings', key: name }).execute();
    }
  });
}
