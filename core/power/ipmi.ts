import { field, powerType, secret } from './schema.ts';

const WORKAROUNDS = [
  'opensesspriv',
  'authcap',
  'idzero',
  'unexpectedauth',
  'forcepermsg',
  'endianseq',
  'intel20',
  'supermicro20',
  'sun20',
  'nochecksumcheck',
  'integritycheckvalue',
  'ipmiping',
];

/** Fields, labels, choices and defaults as MAAS 3.7 describes its `ipmi` power type. */
export const IPMI = powerType('ipmi', 'IPMI', {
  fields: [
    field('power_driver', 'Power driver', {
      required: true,
      field_type: 'choice',
      choices: [
        ['LAN', 'LAN [IPMI 1.5]'],
        ['LAN_2_0', 'LAN_2_0 [IPMI 2.0]'],
      ],
      default: 'LAN_2_0',
    }),
    field('power_boot_type', 'Power boot type', {
      field_type: 'choice',
      choices: [
        ['auto', 'Automatic'],
        ['legacy', 'Legacy boot'],
        ['efi', 'EFI boot'],
      ],
      default: 'auto',
    }),
    field('power_address', 'IP address', { required: true }),
    field('power_user', 'Power user'),
    secret('power_pass', 'Power password'),
    secret('k_g', 'K_g BMC key'),
    field('cipher_suite_id', 'Cipher Suite ID', {
      field_type: 'choice',
      choices: [
        ['17', '17 - HMAC-SHA256::HMAC_SHA256_128::AES-CBC-128'],
        ['3', '3 - HMAC-SHA1::HMAC-SHA1-96::AES-CBC-128'],
        ['', 'freeipmi-tools default'],
        ['8', '8 - HMAC-MD5::HMAC-MD5-128::AES-CBC-128'],
        ['12', '12 - HMAC-MD5::MD5-128::AES-CBC-128'],
      ],
      default: '3',
    }),
    field('privilege_level', 'Privilege Level', {
      field_type: 'choice',
      choices: [
        ['USER', 'User'],
        ['OPERATOR', 'Operator'],
        ['ADMIN', 'Administrator'],
      ],
      default: 'OPERATOR',
    }),
    field('workaround_flags', 'Workaround Flags', {
      field_type: 'multiple_choice',
      choices: [
        ...WORKAROUNDS.map((name): [string, string] => [name, name.charAt(0).toUpperCase() + name.slice(1)]),
        ['', 'None'],
      ],
      default: ['opensesspriv'],
    }),
    field('mac_address', 'Power MAC', { scope: 'node' }),
    field('power_off_mode', 'Power off mode', {
      field_type: 'choice',
      choices: [
        ['soft', 'Soft power off'],
        ['hard', 'Power off'],
      ],
      default: 'hard',
    }),
  ],
});
