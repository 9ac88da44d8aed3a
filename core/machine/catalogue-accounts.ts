import type { CatalogueEntry } from './catalogue.ts';

/** Why an account or a key is not taken. */
export const ACCOUNTS = {
  'user.name_invalid': {
    title: 'Not a user name',
    message: 'Enter a valid username.',
    fix: 'Use letters, digits and @ . + - _ only, at most 150.',
    http: 400,
    kind: 'refusal',
  },
  'user.password_invalid': {
    title: 'Not a password',
    message: 'Give a password of 1 to 1024 characters.',
    fix: 'Give a password of 1 to 1024 characters.',
    http: 400,
    kind: 'refusal',
  },
  'user.exists': {
    title: 'User name taken',
    message: 'A user with that username already exists.',
    fix: 'Choose another name.',
    http: 400,
    kind: 'refusal',
  },
  'ssh_key.invalid': {
    title: 'Not an SSH public key',
    message: 'Invalid SSH public key.',
    fix: 'Give one line of a .pub file, for example the content of ~/.ssh/id_ed25519.pub.',
    http: 400,
    kind: 'refusal',
  },
  'ssh_key.exists': {
    title: 'SSH key is there already',
    message: 'This key has already been added for this user.',
    fix: 'Nothing is to be done.',
    http: 400,
    kind: 'refusal',
  },
} as const satisfies Record<string, CatalogueEntry>;
