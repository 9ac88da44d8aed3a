import type { DhcpPeer } from '@ingot/contract/rack.ts';
import * as z from 'zod';
import type { KeaConfig } from './kea-config.ts';
import { keaCommand } from './kea-control.ts';

/** Kea's hook for two servers that stand in for each other (Kea ARM, "libdhcp_ha: High Availability"). */
export interface KeaPairHook {
  library: string;
  parameters: { 'high-availability': [KeaPair] };
}
interface KeaPair {
  'this-server-name': string;
  mode: 'hot-standby';
  'heartbeat-delay': number;
  'max-response-delay': number;
  'max-ack-delay': number;
  'max-unacked-clients': number;
  'multi-threading': {
    'enable-multi-threading': true;
    'http-dedicated-listener': true;
    'http-listener-threads': number;
    'http-client-threads': number;
  };
  'trust-anchor': string;
  'cert-file': string;
  'key-file': string;
  'require-client-certs': true;
  peers: { name: string; url: string; role: 'primary' | 'standby'; 'auto-failover': true }[];
}

export interface KeaPairFiles {
  /** libdhcp_ha.so */
  library: string;
  /** PEM with the certificates of both racks. */
  trust: string;
  cert: string;
  key: string;
}

/** Where the two Keas of a pair speak to each other: TLS, each believed by its certificate alone. */
const PAIR_PORT = 5251;
/** Milliseconds. The standby takes over after this long without an answer to a heartbeat. */
const SILENCE_MS = 6000;
const HEARTBEAT_MS = 1000;

/**
 * Hot standby: the second answers nobody while the first is there, and knows all its leases. It takes over as soon as the
 * first does not answer (0 unacked clients: it does not wait to see machines go without).
 */
export function keaPairHook(rack: string, peers: readonly DhcpPeer[], files: KeaPairFiles): KeaPairHook {
  return {
    library: files.library,
    parameters: {
      'high-availability': [
        {
          'this-server-name': rack,
          mode: 'hot-standby',
          'heartbeat-delay': HEARTBEAT_MS,
          'max-response-delay': SILENCE_MS,
          'max-ack-delay': 1000,
          'max-unacked-clients': 0,
          'multi-threading': {
            'enable-multi-threading': true,
            'http-dedicated-listener': true,
            'http-listener-threads': 2,
            'http-client-threads': 2,
          },
          'trust-anchor': files.trust,
          'cert-file': files.cert,
          'key-file': files.key,
          'require-client-certs': true,
          peers: peers.map((peer) => ({
            name: peer.rack,
            url: `https://${peer.address}:${PAIR_PORT}/`,
            role: peer.role,
            'auto-failover': true,
          })),
        },
      ],
    },
  };
}

export function isPaired(config: KeaConfig): boolean {
  return config.Dhcp4['hooks-libraries'].some((hook) => 'parameters' in hook);
}

const Status = z.object({
  'high-availability': z.array(z.object({ 'ha-servers': z.object({ local: z.object({ state: z.string() }) }) })).min(1),
});
/** States in which Kea answers nobody until it has spoken with its partner, or found that there is none (Kea ARM, "Server States"). */
const AGREEING = ['waiting', 'syncing', 'ready'];

/** The state of a pair's Kea; null when it is none or does not say. */
async function pairState(controlSocket: string): Promise<string | null> {
  const answer = await keaCommand(controlSocket, 'status-get', undefined, 1000).catch(() => null);
  return Status.safeParse(answer?.arguments).data?.['high-availability'][0]?.['ha-servers'].local.state ?? null;
}

export async function isAgreeing(controlSocket: string): Promise<boolean> {
  return AGREEING.includes((await pairState(controlSocket)) ?? '');
}

const STANDING: Record<string, { primary: string; standby: string }> = {
  'hot-standby': { primary: 'serving, the second rack stands by', standby: 'standing by, the first rack serves' },
  'partner-down': {
    primary: 'serving alone: the second rack does not answer',
    standby: 'serving: the first rack does not answer',
  },
};

/** What a rack's Kea does in its pair, for a person; null while it does not say. */
export async function pairStanding(controlSocket: string, role: DhcpPeer['role']): Promise<string | null> {
  const state = await pairState(controlSocket);
  if (state === null) return null;
  if (AGREEING.includes(state)) return 'agreeing with the other rack';
  return STANDING[state]?.[role] ?? `serving with another rack, ${state}`;
}
