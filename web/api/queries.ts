import {
  AttemptView,
  EventView,
  EvidenceView,
  Explain,
  ImageView,
  MachineDetail,
  MachineView,
  PowerParametersView,
  PowerTypeView,
  ScriptResultView,
  SshKeyView,
  SubnetView,
  WhoAmI,
} from '@ingot/contract/native.ts';
import { DeployPlanView } from '@ingot/contract/plan.ts';
import { QueryClient, queryOptions } from '@tanstack/react-query';
import * as z from 'zod';
import { get, getText, Refused } from './client.ts';

/** The event stream keeps what is shown fresh, so nothing refetches by age; a lost stream refetches once (stream.ts). */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && !(error instanceof Refused && error.status >= 400 && error.status < 500),
    },
  },
});

const id = encodeURIComponent;

export const whoAmI = queryOptions({ queryKey: ['whoami'], queryFn: () => get('/whoami', WhoAmI), retry: false });

export const machines = queryOptions({
  queryKey: ['machines'],
  queryFn: () => get('/machines', z.array(MachineView)),
});

export const machine = (systemId: string) =>
  queryOptions({ queryKey: ['machine', systemId], queryFn: () => get(`/machines/${id(systemId)}`, MachineDetail) });

export const explain = (systemId: string) =>
  queryOptions({
    queryKey: ['explain', systemId],
    queryFn: () => get(`/machines/${id(systemId)}/explain`, z.array(Explain)),
  });

/** Asked anew each time: disks and images change without an event of the machine. */
export const deployPlan = (systemId: string, image: string) =>
  queryOptions({
    queryKey: ['plan', systemId, image],
    queryFn: () => get(`/machines/${id(systemId)}/deploy/plan?image=${id(image)}`, DeployPlanView),
    staleTime: 0,
  });

export const attempts = (systemId: string) =>
  queryOptions({
    queryKey: ['attempts', systemId],
    queryFn: () => get(`/machines/${id(systemId)}/attempts`, z.array(AttemptView)),
  });

export const evidence = (systemId: string, attempt: number) =>
  queryOptions({
    queryKey: ['evidence', systemId, attempt],
    queryFn: () => get(`/machines/${id(systemId)}/attempts/${attempt}/evidence`, z.array(EvidenceView)),
  });

export const events = (systemId: string) =>
  queryOptions({
    queryKey: ['events', systemId],
    queryFn: () => get(`/machines/${id(systemId)}/events`, z.array(EventView)),
  });

export const results = (systemId: string) =>
  queryOptions({
    queryKey: ['results', systemId],
    queryFn: () => get(`/machines/${id(systemId)}/results`, z.array(ScriptResultView)),
  });

export const resultOutput = (systemId: string, result: number) =>
  queryOptions({
    queryKey: ['output', systemId, result],
    queryFn: () => getText(`/machines/${id(systemId)}/results/${result}/output`),
  });

export const images = queryOptions({ queryKey: ['images'], queryFn: () => get('/images', z.array(ImageView)) });

export const sshKeys = queryOptions({ queryKey: ['ssh-keys'], queryFn: () => get('/ssh-keys', z.array(SshKeyView)) });

export const powerTypes = queryOptions({
  queryKey: ['power-types'],
  queryFn: () => get('/power-types', z.array(PowerTypeView)),
});

/** Without secrets. Asked anew for each form: commissioning writes them too. */
export const powerSettings = (systemId: string) =>
  queryOptions({
    queryKey: ['power-settings', systemId],
    queryFn: () => get(`/machines/${id(systemId)}/power-parameters`, PowerParametersView),
    staleTime: 0,
    gcTime: 0,
  });

const SUBNETS_EVERY_MS = 10_000;

/** No event tells of leases and of other DHCP servers, so what is shown is asked again. */
export const subnets = queryOptions({
  queryKey: ['subnets'],
  queryFn: () => get('/network/subnets', z.array(SubnetView)),
  staleTime: 0,
  refetchInterval: SUBNETS_EVERY_MS,
});
