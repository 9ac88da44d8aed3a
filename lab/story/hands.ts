import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { command } from '../run/command.ts';
import type { Ingot } from './ingot-processes.ts';

/** Who the main job tells what to do: the same story is told through the API, the command line and the browser. */
export interface Hands {
  addSshKey(publicKey: string): Promise<void>;
  commission(machine: Named): Promise<void>;
  allocate(machine: Named): Promise<void>;
  deploy(machine: Named, image: string, userData: string): Promise<void>;
  releaseErasing(machine: Named): Promise<void>;
}

export interface Named {
  systemId: string;
  hostname: string;
}

export function apiHands(ingot: Ingot): Hands {
  const { api } = ingot;
  return {
    addSshKey: async (publicKey) => {
      await api.addSshKey(publicKey);
    },
    commission: async ({ systemId }) => {
      await api.act(systemId, 'commission');
    },
    allocate: async ({ hostname }) => {
      await api.allocate(hostname);
    },
    deploy: async ({ systemId }, image, userData) => {
      await api.act(systemId, 'deploy', { image, userData, userDataEncoding: 'text' });
    },
    releaseErasing: async ({ systemId }) => {
      await api.act(systemId, 'release', { erase: true });
    },
  };
}

/** As a person types it; nothing waits, so that the story can watch and interfere. */
export function cliHands(ingot: Ingot): Hands {
  const ingotCommand = (...argv: string[]) => command(ingot.cli(argv), 60_000);
  return {
    addSshKey: async (publicKey) => {
      const file = path.join(ingot.stateDir, 'story-key.pub');
      await writeFile(file, `${publicKey}\n`);
      await ingotCommand('keys', 'add', file);
    },
    commission: async ({ hostname }) => {
      await ingotCommand('commission', hostname);
    },
    allocate: async ({ hostname }) => {
      await ingotCommand('allocate', hostname);
    },
    deploy: async ({ hostname }, image, userData) => {
      const file = path.join(ingot.stateDir, `user-data-${hostname}`);
      await writeFile(file, userData);
      await ingotCommand('deploy', hostname, '--image', image, '--user-data', file);
    },
    releaseErasing: async ({ hostname }) => {
      await ingotCommand('release', hostname, '--erase');
    },
  };
}
