import type { Resource } from '../table.ts';
import { accountRoutes } from './account.ts';
import { bootResourceRoutes } from './boot-resources.ts';
import { controllerRoutes } from './controllers.ts';
import { domainRoutes } from './domains.ts';
import { emptyRoutes } from './empty.ts';
import { eventRoutes } from './events.ts';
import { fabricRoutes } from './fabrics.ts';
import { ipRangeRoutes } from './ipranges.ts';
import { machineRoutes } from './machines.ts';
import { nodeRoutes } from './nodes.ts';
import { placeRoutes } from './places.ts';
import { resultRoutes } from './results.ts';
import { settingsRoutes } from './settings.ts';
import { spaceRoutes } from './spaces.ts';
import { subnetRoutes } from './subnets.ts';
import { tagRoutes } from './tags.ts';
import { userRoutes } from './users.ts';
import { versionRoutes } from './version.ts';

/** Everything the dialect serves. describe/, the API hash, openapi.yaml and the router are all made from this list. */
export const table: readonly Resource[] = [
  ...versionRoutes,
  ...userRoutes,
  ...accountRoutes,
  ...machineRoutes,
  ...nodeRoutes,
  ...resultRoutes,
  ...controllerRoutes,
  ...eventRoutes,
  ...tagRoutes,
  ...placeRoutes,
  ...fabricRoutes,
  ...spaceRoutes,
  ...subnetRoutes,
  ...ipRangeRoutes,
  ...domainRoutes,
  ...bootResourceRoutes,
  ...settingsRoutes,
  ...emptyRoutes,
];
