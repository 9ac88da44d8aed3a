import type { DhcpMode } from '@ingot/contract/rack.ts';

/** The columns of a VLAN that say who gives addresses there. */
export interface ModeColumns {
  dhcp_on: boolean;
  dhcp_proxy: boolean;
  relay_vlan_id: number | null;
}

export function modeOf(vlan: ModeColumns): DhcpMode {
  if (vlan.dhcp_on) return 'on';
  if (vlan.dhcp_proxy) return 'proxy';
  return vlan.relay_vlan_id === null ? 'off' : 'relay';
}

/** The columns for a mode; `relayVlan` counts with `relay` alone. */
export function columnsOf(mode: DhcpMode, relayVlan: number | null): ModeColumns {
  return {
    dhcp_on: mode === 'on',
    dhcp_proxy: mode === 'proxy',
    relay_vlan_id: mode === 'relay' ? relayVlan : null,
  };
}
