import { field, powerType, secret } from './schema.ts';

/**
 * As MAAS 3.7 describes its `redfish` power type, and one field more: whether the BMC's certificate must be trusted,
 * named as in MAAS's other HTTPS types. Unless set it is not looked at: BMCs sign their own.
 */
export const REDFISH = powerType('redfish', 'Redfish', {
  chassis: true,
  fields: [
    field('power_address', 'Redfish address', { required: true }),
    field('power_user', 'Redfish user', { required: true }),
    secret('power_pass', 'Redfish password', { required: true }),
    field('node_id', 'Node ID', { scope: 'node' }),
    field('power_verify_ssl', 'Verify SSL connections with system CA certificates', {
      field_type: 'choice',
      choices: [
        ['n', 'No'],
        ['y', 'Yes'],
      ],
      default: 'n',
    }),
  ],
});
