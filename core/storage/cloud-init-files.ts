import type { PlannedFile } from './install-plan.ts';

export interface DatasourceInput {
  /** e.g. http://10.0.0.1:5248/MAAS/metadata/ */
  metadataUrl: string;
  /** e.g. http://10.0.0.1:5248/MAAS/metadata/status/abc123 */
  statusUrl: string;
  consumerKey: string;
  tokenKey: string;
  tokenSecret: string;
  /** Of core/network's networkConfig. */
  network: unknown;
}

const NETPLAN = '/usr/sbin/netplan';

/**
 * cloud-init's MAAS datasource, its event webhook and the network configuration, as files below /etc/cloud/cloud.cfg.d. JSON is
 * YAML, except for cloud-init's ds-identify, a shell script that knows `datasource_list: [ NAME ]` on one line and nothing
 * else: without that line it switches cloud-init off. Readable by root only: the token opens the machine's metadata. No
 * `level` in the reporter: it kills cloud-init 22.4.
 *
 * Where the system has netplan it gets netplan's file at once, under cloud-init's name for it, so that one that an image brought
 * along is replaced. cloud-init itself would write it twice and apply it while the boot waits, because this datasource comes
 * after the network: 18 of the 100 s of a slow machine's first boot.
 */
export function cloudInitFiles(input: DatasourceInput): PlannedFile[] {
  const keys = { consumer_key: input.consumerKey, token_key: input.tokenKey, token_secret: input.tokenSecret };
  const datasource = { MAAS: { metadata_url: input.metadataUrl, ...keys } };
  const reporting = { reporting: { maas: { type: 'webhook', endpoint: input.statusUrl, ...keys } } };
  const network = (content: unknown) => JSON.stringify({ network: content }, null, 1);
  const file = (name: string, content: string): PlannedFile => ({
    path: name.startsWith('/') ? name : `/etc/cloud/cloud.cfg.d/${name}`,
    mode: 0o600,
    content: `${content}\n`,
  });
  return [
    file('90_maas_datasource.cfg', `datasource_list: [ MAAS ]\ndatasource: ${JSON.stringify(datasource)}`),
    file('90_maas_cloud_init_reporting.cfg', JSON.stringify(reporting, null, 1)),
    { ...file('50_network.cfg', network(input.network)), onlyWithout: NETPLAN },
    { ...file('50_network.cfg', network({ config: 'disabled' })), onlyWith: NETPLAN },
    { ...file('/etc/netplan/50-cloud-init.yaml', network(input.network)), onlyWith: NETPLAN },
  ];
}
