import type { Resource } from '../table.ts';
import { accountRoutes } from './account.ts';
import { placeRoutes } from './places.ts';
import { tagRoutes } from './tags.ts';
import { userRoutes } from './users.ts';
import { versionRoutes } from './version.ts';

/** Everything the dialect serves. describe/, the API hash, openapi.yaml and the router are all made from this list. */
export const table: readonly Resource[] = [
  ...versionRoutes,
  ...userRoutes,
  ...accountRoutes,
  ...placeRoutes,
  ...tagRoutes,
];
