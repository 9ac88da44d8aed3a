import type { AttemptView, EvidenceView, MachineDetail, MachineView, PhaseView } from '@ingot/contract/native.ts';

/** Noon of a made-up day; instants of the samples are seconds after it. */
export const NOON = Date.UTC(2026, 0, 2, 12);
export const at = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString();

export function phase(name: string, from: number, to: number | null, more: Partial<PhaseView> = {}): PhaseView {
  return {
    name,
    startedAt: at(from),
    endedAt: to === null ? null : at(to),
    seconds: (to ?? from) - from,
    typicalSeconds: null,
    deadline: null,
    ownSeconds: null,
    bytesDone: null,
    bytesTotal: null,
    ...more,
  };
}

export function attempt(more: Partial<AttemptView> = {}): AttemptView {
  return {
    id: 7,
    kind: 'deploy',
    systemId: 'abc123',
    startedAt: at(0),
    endedAt: null,
    outcome: null,
    failure: null,
    phases: [phase('power', 0, 1.2, { typicalSeconds: 1 })],
    ...more,
  };
}

export function evidence(id: number, seconds: number, name: string, kind: string, text: string): EvidenceView {
  return { id, at: at(seconds), phase: name, kind, text };
}

export function machine(more: Partial<MachineView> = {}): MachineView {
  return {
    systemId: 'abc123',
    hostname: 'web1',
    fqdn: 'web1.maas',
    status: 'READY',
    statusName: 'Ready',
    statusSince: at(-120),
    owner: null,
    locked: false,
    zone: 'default',
    pool: 'default',
    tags: [],
    architecture: 'amd64/generic',
    powerType: 'ipmi',
    powerState: 'off',
    cpuCount: 4,
    memory: 4096,
    storage: 8 * 2 ** 30,
    diskCount: 1,
    firmware: 'uefi',
    osystem: '',
    distroSeries: '',
    addresses: [],
    errorDescription: '',
    attempt: null,
    waitingFor: null,
    ...more,
  };
}

export function detail(more: Partial<MachineDetail> = {}): MachineDetail {
  return {
    ...machine(),
    description: '',
    hardware: {},
    interfaces: [
      {
        id: 1,
        name: 'ens3',
        mac: '52:54:00:12:34:56',
        vendor: null,
        product: null,
        linkConnected: true,
        speedMbps: 1000,
        links: [],
      },
    ],
    disks: [{ id: 1, name: 'sda', model: null, serial: 'S1', size: 8 * 2 ** 30, tags: [] }],
    ...more,
  };
}
