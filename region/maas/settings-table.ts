import { SETTINGS, type SettingName } from '../store/settings.ts';

/** Types in which MAAS's settings are stored as JSON. */
export type SettingKind = 'text' | 'number' | 'boolean';

/**
 * Settings that clients may read and write although Ingot does not act on them (yet): a name, its kind and what is answered
 * while none is stored. api-2.0-objects §17. Those Ingot acts on stand in store/settings.ts and are checked there.
 */
export const OTHER_SETTINGS: Readonly<Record<string, { kind: SettingKind; value: string | number | boolean | null }>> =
  {
    active_discovery_interval: { kind: 'number', value: 10_800 },
    allow_only_trusted_transfers: { kind: 'boolean', value: true },
    auto_vlan_creation: { kind: 'boolean', value: true },
    boot_images_auto_import: { kind: 'boolean', value: true },
    boot_images_no_proxy: { kind: 'boolean', value: false },
    completed_intro: { kind: 'boolean', value: true },
    curtin_verbose: { kind: 'boolean', value: true },
    default_dns_ttl: { kind: 'number', value: 30 },
    dns_trusted_acl: { kind: 'text', value: null },
    dnssec_validation: { kind: 'text', value: 'auto' },
    enable_analytics: { kind: 'boolean', value: false },
    enable_http_proxy: { kind: 'boolean', value: true },
    enable_kernel_crash_dump: { kind: 'boolean', value: false },
    enable_third_party_drivers: { kind: 'boolean', value: false },
    force_v1_network_yaml: { kind: 'boolean', value: false },
    hardware_sync_interval: { kind: 'text', value: '15m' },
    http_proxy: { kind: 'text', value: null },
    maas_auto_ipmi_workaround_flags: { kind: 'text', value: null },
    maas_internal_domain: { kind: 'text', value: 'maas-internal' },
    maas_proxy_port: { kind: 'number', value: 8000 },
    maas_syslog_port: { kind: 'number', value: 5247 },
    network_discovery: { kind: 'text', value: 'enabled' },
    ntp_external_only: { kind: 'boolean', value: false },
    ntp_servers: { kind: 'text', value: 'ntp.ubuntu.com' },
    prefer_v4_proxy: { kind: 'boolean', value: false },
    prometheus_enabled: { kind: 'boolean', value: false },
    prometheus_push_gateway: { kind: 'text', value: null },
    prometheus_push_interval: { kind: 'number', value: 60 },
    promtail_enabled: { kind: 'boolean', value: false },
    promtail_port: { kind: 'number', value: 5238 },
    release_notifications: { kind: 'boolean', value: false },
    remote_syslog: { kind: 'text', value: null },
    subnet_ip_exhaustion_threshold_count: { kind: 'number', value: 16 },
    theme: { kind: 'text', value: '' },
    tls_cert_expiration_notification_enabled: { kind: 'boolean', value: false },
    tls_cert_expiration_notification_interval: { kind: 'number', value: 30 },
    use_peer_proxy: { kind: 'boolean', value: false },
    use_rack_proxy: { kind: 'boolean', value: true },
    vcenter_datacenter: { kind: 'text', value: '' },
    vcenter_server: { kind: 'text', value: '' },
    vcenter_username: { kind: 'text', value: '' },
    windows_kms_host: { kind: 'text', value: null },
  };

/** Read by Ingot, but not offered by this API (upstream keeps them internal). */
const INTERNAL: readonly string[] = ['commissioning_osystem', 'max_node_deployment_results'];

export function isOwnSetting(name: string): name is SettingName {
  return name in SETTINGS && !INTERNAL.includes(name);
}

export const SETTING_NAMES: readonly string[] = [
  ...Object.keys(SETTINGS).filter(isOwnSetting),
  ...Object.keys(OTHER_SETTINGS),
].sort();
