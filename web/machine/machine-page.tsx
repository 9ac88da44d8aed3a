import { Anchor, Breadcrumbs, Group, Stack, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Refused } from '../api/client.ts';
import { machine } from '../api/queries.ts';
import { TABS, type Tab } from '../routes.tsx';
import { PageTitle } from '../shell/page-title.tsx';
import { Problem } from '../shell/problem.tsx';
import { duration, useNow } from '../shell/time.ts';
import { Actions } from './actions.tsx';
import { Failure } from './failure.tsx';
import { MachineEvents } from './machine-events.tsx';
import { attemptTitle, phaseSeconds, phaseTitle } from './phases.ts';
import { Results } from './results.tsx';
import { PowerMark, StatusMark } from './status.tsx';
import { Summary } from './summary.tsx';
import { Timeline } from './timeline.tsx';

const WORDS: Record<Tab, string> = { summary: 'Summary', timeline: 'Timeline', results: 'Results', events: 'Events' };

export function MachinePage() {
  const { id } = useParams({ from: '/shell/machines/$id' });
  const { tab = 'summary' } = useSearch({ from: '/shell/machines/$id' });
  const navigate = useNavigate();
  const detail = useQuery(machine(id));
  const running = detail.data?.attempt && !detail.data.attempt.endedAt ? detail.data.attempt : null;
  const now = useNow(running !== null);

  if (detail.error) {
    if (detail.error instanceof Refused && detail.error.status === 404) {
      return (
        <Stack>
          <PageTitle text="No such machine" />
          <Text>
            There is no machine {id}; it may have been deleted.{' '}
            <Anchor component={Link} to="/machines">
              All machines
            </Anchor>
          </Text>
        </Stack>
      );
    }
    return <Problem error={detail.error} retry={() => void detail.refetch()} />;
  }
  if (!detail.data) return <Text c="dimmed">Loading the machine…</Text>;
  const one = detail.data;
  const phase = running?.phases.at(-1);
  const failure = one.attempt?.failure ?? null;

  return (
    <Stack gap="sm">
      <Breadcrumbs separatorMargin={6}>
        <Anchor component={Link} to="/machines" size="sm">
          Machines
        </Anchor>
        <Text size="sm">{one.hostname}</Text>
      </Breadcrumbs>
      <Group justify="space-between" align="flex-start">
        <Stack gap={4}>
          <PageTitle text={one.hostname}>{one.fqdn}</PageTitle>
          <Group gap="lg">
            <StatusMark machine={one} />
            <PowerMark machine={one} />
            {running && phase ? (
              <Text size="sm" role="status">
                {attemptTitle(running)}: {phaseTitle(phase.name)}, {duration(phaseSeconds(phase, now))}
              </Text>
            ) : null}
          </Group>
        </Stack>
        <Actions systemId={one.systemId} />
      </Group>
      {failure && tab !== 'timeline' && one.attempt?.outcome === 'failed' ? <Failure failure={failure} /> : null}
      <Tabs
        value={tab}
        onChange={(value) =>
          void navigate({
            to: '/machines/$id',
            params: { id },
            search: { tab: TABS.find((known) => known === value) },
          })
        }
        keepMounted={false}
      >
        <Tabs.List>
          {TABS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {WORDS[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="summary" pt="md">
          <Summary machine={one} />
        </Tabs.Panel>
        <Tabs.Panel value="timeline" pt="md">
          <Timeline systemId={one.systemId} />
        </Tabs.Panel>
        <Tabs.Panel value="results" pt="md">
          <Results systemId={one.systemId} />
        </Tabs.Panel>
        <Tabs.Panel value="events" pt="md">
          <MachineEvents systemId={one.systemId} />
        </Tabs.Panel>
      </Tabs>
      <Outlet />
    </Stack>
  );
}
