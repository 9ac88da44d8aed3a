import type { NativeParts } from '../parts.ts';
import type { Route } from '../route.ts';
import { explainRoutes } from './explain.ts';
import { historyRoutes } from './history.ts';
import { imageUploadRoutes } from './image-uploads.ts';
import { imageRoutes } from './images.ts';
import { machineRoutes } from './machines.ts';
import { networkRoutes } from './network.ts';
import { planRoutes } from './plan.ts';
import { sessionRoutes } from './session.ts';
import { siteRoutes } from './site.ts';
import { sshKeyRoutes } from './ssh-keys.ts';
import { streamRoutes } from './stream.ts';

/** Everything below /api/v1. OpenAPI is made of this, and a test compares it with docs/reference/openapi.json. */
export function nativeRoutes(parts: NativeParts): Route[] {
  return [
    ...sessionRoutes(parts),
    ...machineRoutes(parts),
    ...explainRoutes(),
    ...planRoutes(),
    ...historyRoutes(parts),
    ...streamRoutes(parts),
    ...sshKeyRoutes(),
    ...imageRoutes(),
    ...imageUploadRoutes(),
    ...networkRoutes(),
    ...siteRoutes(),
  ];
}
