import { SubnetView } from '@ingot/contract/native.ts';
import { z } from 'zod';
import { subnetsOf } from '../read/subnets.ts';
import { type Route, route } from '../route.ts';

export function networkRoutes(): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/network/subnets',
        operation: 'listSubnets',
        summary: 'Subnets with their VLAN, fabric and ranges',
        access: 'user',
        answer: z.array(SubnetView),
      },
      ({ deps }) => subnetsOf(deps.db),
    ),
  ];
}
