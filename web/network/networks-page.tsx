import type { SubnetView } from '@ingot/contract/native.ts';
import { Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import { subnets, whoAmI } from '../api/queries.ts';
import { Notice } from '../shell/notice.tsx';
import { PageTitle } from '../shell/page-title.tsx';
import { Problem } from '../shell/problem.tsx';
import { stamp } from '../shell/time.ts';

const MODE_WORDS: Record<SubnetView['mode'], string> = {
  on: 'Ingot gives the addresses',
  proxy: 'Another server gives the addresses, Ingot says what to boot',
  relay: 'A relay hands requests to Ingot',
  off: 'Off',
};

function facts(subnet: SubnetView): string[] {
  const racks = [subnet.primaryRack, subnet.secondaryRack].filter((rack) => rack !== null);
  const foreign = subnet.foreignDhcp.map(({ address, mac, seen }) => `${address} (${mac}, seen ${stamp(seen)})`);
  return [
    subnet.vlan === 0 ? `untagged in ${subnet.fabric}` : `VLAN ${subnet.vlan} of ${subnet.fabric}`,
    subnet.gateway === null ? 'no gateway' : `gateway ${subnet.gateway}`,
    ...subnet.ranges.map(
      ({ kind, start, end }) => `${kind === 'reserved-range' ? 'reserved' : 'dynamic'} ${start}–${end}`,
    ),
    ...(subnet.pool === null ? [] : [`${subnet.pool.given} of ${subnet.pool.addresses} dynamic addresses given`]),
    ...(subnet.relay === null ? [] : [`relayed to the rack of ${subnet.relay}`]),
    ...(racks.length === 0 ? [] : [`served by ${racks.join(', then ')}`]),
    ...(foreign.length === 0 ? [] : [`other DHCP servers: ${foreign.join(', ')}`]),
  ];
}

function Network({ subnet, admin }: { subnet: SubnetView; admin: boolean }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={subnet.cidr}>
      <Group justify="space-between" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Title order={2} size="h5">
            {subnet.cidr}
          </Title>
          <Text size="sm">DHCP: {MODE_WORDS[subnet.mode]}</Text>
        </div>
        {admin ? (
          <Button
            component={Link}
            to={`/networks/${subnet.id}/dhcp`}
            size="xs"
            variant="default"
            aria-label={`Change DHCP of ${subnet.cidr}`}
          >
            Change DHCP
          </Button>
        ) : null}
      </Group>
      <Text size="sm" c="dimmed" mt={4} style={{ overflowWrap: 'anywhere' }}>
        {facts(subnet).join(' · ')}
      </Text>
      {subnet.warnings.map(({ code, message, fix }) => (
        <div key={code} style={{ marginTop: 8 }}>
          <Notice mood="warn" title={message}>
            <Text size="sm">{fix}</Text>
            <Text size="xs" mt={4} c="dimmed" ff="monospace">
              {code}
            </Text>
          </Notice>
        </div>
      ))}
    </Paper>
  );
}

export function NetworksPage() {
  const list = useQuery(subnets);
  const { data: me } = useQuery(whoAmI);
  return (
    <Stack gap="sm" maw={860}>
      <PageTitle text="Networks" />
      {list.error ? <Problem error={list.error} retry={() => void list.refetch()} /> : null}
      {list.isPending ? <Text c="dimmed">Loading the networks…</Text> : null}
      {list.data?.length === 0 ? (
        <Text>No network is known yet: a rack reports those that it stands in. See “ingot doctor” on its host.</Text>
      ) : null}
      {list.data?.map((subnet) => (
        <Network key={subnet.id} subnet={subnet} admin={me?.admin ?? false} />
      ))}
      <Outlet />
    </Stack>
  );
}
