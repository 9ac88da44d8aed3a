/** The release whose wire forms we speak (docs/architecture.md). */
export const MAAS_VERSION = '3.7.3';

/** In the order clients have seen since 3.5; python-libmaas' login needs `authenticate-api`, Juju a list of strings. */
export const CAPABILITIES = [
  'networks-management',
  'static-ipaddresses',
  'ipv6-deployment-ubuntu',
  'devices-management',
  'storage-deployment-ubuntu',
  'network-deployment-ubuntu',
  'bridging-interface-ubuntu',
  'bridging-automatic-ubuntu',
  'authenticate-api',
] as const;
