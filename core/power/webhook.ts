import { field, powerType, secret } from './schema.ts';

/** As MAAS 3.7 describes its `webhook` power type. */
export const WEBHOOK = powerType('webhook', 'Webhook', {
  fields: [
    field('power_on_uri', 'URI to power on the node', { required: true }),
    field('power_off_uri', 'URI to power off the node', { required: true }),
    field('power_query_uri', 'URI to query the nodes power status', { required: true }),
    field('power_on_regex', 'Regex to confirm the node is on', { required: true, default: 'status.*\\:.*running' }),
    field('power_off_regex', 'Regex to confirm the node is off', { required: true, default: 'status.*\\:.*stopped' }),
    field('power_user', 'Power user'),
    secret('power_pass', 'Power password'),
    secret('power_token', 'Power token, will be used in place of power_user and power_pass'),
    field('power_verify_ssl', 'Verify SSL connections with system CA certificates', {
      required: true,
      field_type: 'choice',
      choices: [
        ['n', 'No'],
        ['y', 'Yes'],
      ],
      default: 'n',
    }),
  ],
});
