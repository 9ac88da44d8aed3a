import { ServeReply, ServeRequest, SubnetView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { serve } from '../../network/serve.ts';
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
    route(
      {
        method: 'POST',
        path: '/network/serve',
        operation: 'serveNetwork',
        summary: 'Give out addresses in a network: makes the subnet and its dynamic range, turns DHCP on',
        access: 'admin',
        body: ServeRequest,
        answer: ServeReply,
      },
      ({ deps, body }) => serve(deps, body),
    ),
  ];
}
