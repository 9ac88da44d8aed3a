import { createRootRoute, createRoute, createRouter, Outlet, redirect } from '@tanstack/react-router';
import { Refused } from './api/client.ts';
import { queryClient, whoAmI } from './api/queries.ts';
import { KeysPage } from './keys/keys-page.tsx';
import { LoginPage } from './login/login-page.tsx';
import { ActionPanel } from './machine/action-panel.tsx';
import { MachinePage } from './machine/machine-page.tsx';
import { PowerPanel } from './machine/power-panel.tsx';
import { MachinesPage } from './machines/machines-page.tsx';
import { DhcpPanel } from './network/dhcp-panel.tsx';
import { NetworksPage } from './network/networks-page.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  component: LoginPage,
  validateSearch: (search: Record<string, unknown>): { next?: string | undefined } => ({ next: text(search.next) }),
});

/** Everything behind the login. An expired session comes back to the page it was asked on. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(whoAmI);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        throw redirect({ to: '/login', search: { next: location.href } });
      }
      throw error;
    }
  },
});

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/machines' });
  },
});

export interface MachinesSearch {
  q?: string | undefined;
  sort?: string | undefined;
}
const machines = createRoute({
  getParentRoute: () => shell,
  path: '/machines',
  component: MachinesPage,
  validateSearch: (search: Record<string, unknown>): MachinesSearch => ({
    q: text(search.q),
    sort: text(search.sort),
  }),
});

export const TABS = ['summary', 'timeline', 'results', 'events'] as const;
export type Tab = (typeof TABS)[number];
const machine = createRoute({
  getParentRoute: () => shell,
  path: '/machines/$id',
  component: MachinePage,
  validateSearch: (search: Record<string, unknown>): { tab?: Tab | undefined } => ({
    tab: TABS.find((tab) => tab === search.tab),
  }),
});

/** Forms over the machine page are routes: back closes them, reload keeps them, a link shares them. */
const action = createRoute({ getParentRoute: () => machine, path: 'do/$action', component: ActionPanel });

const power = createRoute({ getParentRoute: () => machine, path: 'power', component: PowerPanel });

const networks = createRoute({ getParentRoute: () => shell, path: '/networks', component: NetworksPage });
const dhcp = createRoute({ getParentRoute: () => networks, path: '$subnet/dhcp', component: DhcpPanel });

const keys = createRoute({ getParentRoute: () => shell, path: '/keys', component: KeysPage });

const tree = root.addChildren([
  login,
  shell.addChildren([home, machines, machine.addChildren([action, power]), networks.addChildren([dhcp]), keys]),
]);

export const router = createRouter({ routeTree: tree, defaultPreload: false, scrollRestoration: true });

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
