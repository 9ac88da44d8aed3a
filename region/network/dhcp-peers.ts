import type { DhcpPeer } from '@ingot/contract/rack.ts';
import type { Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';
import { rackAddressesIn } from './serving-racks.ts';
import { networkAround } from './spans.ts';

interface VlanRacks {
  id: number;
  dhcp_on: boolean;
  primary_rack: string | null;
  secondary_rack: string | null;
}

/**
 * The pairs of racks that stand in for each other, by VLAN. A VLAN has one when both racks are named, have an address in one
 * of its subnets, and have told their certificate; until then the secondary keeps out.
 */
export async function dhcpPeers(
  trx: Transaction<Tables>,
  vlans: readonly VlanRacks[],
  subnets: readonly { vlan_id: number; cidr: string }[],
): Promise<Map<number, DhcpPeer[]>> {
  const pairs = new Map<number, DhcpPeer[]>();
  const wanted = vlans.filter((vlan) => vlan.dhcp_on && vlan.primary_rack !== null && vlan.secondary_rack !== null);
  if (wanted.length === 0) return pairs;
  const racks = await trx.selectFrom('racks').select(['system_id', 'certificate']).execute();
  const certificates = new Map(racks.map((rack) => [rack.system_id, rack.certificate]));
  for (const vlan of wanted) {
    for (const subnet of subnets.filter((one) => one.vlan_id === vlan.id)) {
      const network = networkAround(subnet.cidr);
      if (network === null) continue;
      const standing = await rackAddressesIn(trx, network);
      const peer = (rack: string | null, role: DhcpPeer['role']): DhcpPeer[] => {
        const address = standing.find(({ rackId }) => rackId === rack)?.address;
        const certificate = certificates.get(rack ?? '');
        return rack === null || address === undefined || !certificate ? [] : [{ rack, role, address, certificate }];
      };
      const pair = [...peer(vlan.primary_rack, 'primary'), ...peer(vlan.secondary_rack, 'standby')];
      if (pair.length < 2) continue;
      pairs.set(vlan.id, pair);
      break;
    }
  }
  return pairs;
}
