import type { MachineDetail } from '@ingot/contract/native.ts';
import { Anchor, Group, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { whoAmI } from '../api/queries.ts';
import { stamp } from '../shell/time.ts';
import { bytes, memory } from '../shell/units.ts';

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl
      style={{
        margin: 0,
        display: 'grid',
        gridTemplateColumns: 'minmax(110px, max-content) 1fr',
        gap: '3px 16px',
        alignItems: 'baseline',
      }}
    >
      {rows.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>
            <Text size="sm" c="dimmed">
              {name}
            </Text>
          </dt>
          <dd style={{ margin: 0, overflowWrap: 'anywhere' }}>
            <Text size="sm" component="div">
              {value || '—'}
            </Text>
          </dd>
        </div>
      ))}
    </dl>
  );
}

const HARDWARE: [string, string][] = [
  ['system_vendor', 'Vendor'],
  ['system_product', 'Product'],
  ['system_serial', 'Serial'],
  ['mainboard_vendor', 'Mainboard'],
  ['mainboard_firmware_vendor', 'Firmware by'],
  ['mainboard_firmware_version', 'Firmware version'],
  ['cpu_model', 'Processor'],
];

/** Its settings are an administrator's: they name the BMC and who may log in there. */
function Power({ machine }: { machine: MachineDetail }) {
  const { data: me } = useQuery(whoAmI);
  return (
    <>
      {machine.powerType || 'no driver set'}, {machine.powerState}
      {me?.admin ? (
        <>
          {' · '}
          <Anchor component={Link} to={`/machines/${machine.systemId}/power`} size="sm" underline="always">
            Power settings
          </Anchor>
        </>
      ) : null}
    </>
  );
}

export function Summary({ machine }: { machine: MachineDetail }) {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm" verticalSpacing="sm">
      <Card title="Machine">
        <Facts
          rows={[
            ['Status', `${machine.statusName}, since ${stamp(machine.statusSince)}`],
            ['System id', machine.systemId],
            ['Owner', machine.owner],
            ['Operating system', [machine.osystem, machine.distroSeries].filter(Boolean).join('/')],
            ['Addresses', machine.addresses.join(', ')],
            ['Zone', machine.zone],
            ['Resource pool', machine.pool],
            ['Power', <Power key="power" machine={machine} />],
            [
              'Tags',
              machine.tags.length > 0 ? (
                <Group gap={4} component="span" key="tags">
                  {machine.tags.map((tag) => (
                    <span key={tag} className="tag">
                      {tag}
                    </span>
                  ))}
                </Group>
              ) : null,
            ],
          ]}
        />
      </Card>
      <Card title="Hardware">
        <Facts
          rows={[
            ['Architecture', machine.architecture],
            ['Boots by', machine.firmware === 'unknown' ? 'not seen yet' : machine.firmware.toUpperCase()],
            ['Cores', machine.cpuCount],
            ['Memory', memory(machine.memory)],
            ['Storage', bytes(machine.storage)],
            ...HARDWARE.map(([key, label]): [string, ReactNode] => [label, machine.hardware[key]]),
          ]}
        />
      </Card>
      <Card title="Network interfaces">
        <Stack gap="xs">
          {machine.interfaces.length === 0 ? <Text size="sm">None known: commission the machine.</Text> : null}
          {machine.interfaces.map((one) => (
            <div key={one.id}>
              <Text size="sm" fw={600}>
                {one.name} <code>{one.mac}</code>
              </Text>
              <Text size="sm" c="dimmed">
                {[one.vendor, one.product].filter(Boolean).join(' ') || 'Unknown adapter'}
                {one.linkConnected ? '' : ' · no link'}
                {one.links.map((link) => ` · ${link.mode} ${link.subnet ?? ''} ${link.address ?? ''}`).join('')}
              </Text>
            </div>
          ))}
        </Stack>
      </Card>
      <Card title="Disks">
        <Stack gap="xs">
          {machine.disks.length === 0 ? <Text size="sm">None known: commission the machine.</Text> : null}
          {machine.disks.map((disk) => (
            <div key={disk.id}>
              <Text size="sm" fw={600}>
                {disk.name} {bytes(disk.size)}
              </Text>
              <Text size="sm" c="dimmed">
                {[disk.model, disk.serial && `serial ${disk.serial}`, ...disk.tags].filter(Boolean).join(' · ')}
              </Text>
            </div>
          ))}
        </Stack>
      </Card>
    </SimpleGrid>
  );
}
