import { Anchor, AppShell, Burger, Button, Group, NavLink, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { command } from '../api/client.ts';
import { queryClient, whoAmI } from '../api/queries.ts';
import { useEventStream, useLiveness } from '../api/stream.ts';
import { Mark } from './mark.tsx';
import { clock } from './time.ts';

function LiveMark() {
  const live = useLiveness();
  switch (live.state) {
    case 'live':
      return (
        <span className="live" role="status">
          <Mark mood="good">Live</Mark>
        </span>
      );
    case 'connecting':
      return (
        <span className="live" role="status">
          <Mark mood="warn">Catching up since {clock(live.since)}</Mark>
        </span>
      );
    case 'offline':
      return (
        <span className="live" role="status">
          <Mark mood="bad">Offline since {clock(live.since)}</Mark>
        </span>
      );
  }
}

const places = [
  { to: '/machines', label: 'Machines' },
  { to: '/networks', label: 'Networks' },
  { to: '/keys', label: 'SSH keys' },
] as const;

export function Shell() {
  useEventStream();
  const [open, drawer] = useDisclosure(false);
  const { data: me } = useQuery(whoAmI);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const navigate = useNavigate();

  const leave = async () => {
    await command('POST', '/logout');
    queryClient.clear();
    await navigate({ to: '/login', search: {} });
  };

  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: 176, breakpoint: 'sm', collapsed: { mobile: !open } }}
      padding="md"
    >
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={open} onClick={drawer.toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
            <Anchor
              component={Link}
              to="/machines"
              underline="never"
              c="inherit"
              fw={700}
              aria-label="Ingot, all machines"
            >
              <Group gap={8} wrap="nowrap">
                <img src="/ingot.svg" alt="" width={24} height={24} />
                Ingot
              </Group>
            </Anchor>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <LiveMark />
            <Text size="sm" c="dimmed" visibleFrom="sm">
              {me?.username}
            </Text>
            <Button size="compact-sm" variant="default" onClick={() => void leave()}>
              Sign out
            </Button>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Main">
        {places.map((place) => (
          <NavLink
            key={place.to}
            component={Link}
            to={place.to}
            label={place.label}
            active={path.startsWith(place.to)}
            onClick={drawer.close}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}
