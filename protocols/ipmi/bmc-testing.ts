import type { BmcControl } from './bmc-commands.ts';
import type { BmcFaults } from './bmc-faults.ts';
import type { BootOverride } from './boot-options.ts';
import { type BmcServer, type BmcServerOptions, startBmcServer } from './server.ts';
import type { IpmiTarget } from './session.ts';

/** A BMC with a chassis that obeys at once and remembers what it was told. */
export interface TestBmc {
  server: BmcServer;
  /** HOST:PORT */
  address: string;
  isOn(): boolean;
  setPower(on: boolean): void;
  /** Chassis controls that were done, in order. */
  controls: BmcControl[];
  boots: (BootOverride | null)[];
  /** May be changed at any time. */
  faults: BmcFaults;
  stop(): Promise<void>;
}

export const TEST_USER = { name: 'ingot', password: 'sekret-pw', privilege: 'ADMIN' } as const;

export async function startTestBmc(
  options: Partial<Omit<BmcServerOptions, 'chassis' | 'faults'>> & {
    on?: boolean;
    faults?: BmcFaults;
    /** Milliseconds that a chassis control takes to be done and answered. */
    controlTakesMs?: number;
  } = {},
): Promise<TestBmc> {
  let on = options.on ?? false;
  const controls: BmcControl[] = [];
  const boots: (BootOverride | null)[] = [];
  const bmc: { faults: BmcFaults } = { faults: options.faults ?? {} };
  const server = await startBmcServer({
    address: '127.0.0.1',
    port: 0,
    users: [TEST_USER, { name: 'watcher', password: 'look', privilege: 'USER' }],
    ...options,
    faults: () => bmc.faults,
    chassis: {
      status: () => ({ on }),
      control: async (action) => {
        controls.push(action);
        const takes = options.controlTakesMs ?? 0;
        if (takes > 0) await new Promise((resolve) => setTimeout(resolve, takes));
        if (action === 'on' || action === 'cycle') on = true;
        if (action === 'off' || action === 'soft') on = false;
      },
      setBoot: (boot) => void boots.push(boot),
    },
  });
  return Object.assign(bmc, {
    server,
    address: `${server.address}:${server.port}`,
    isOn: () => on,
    setPower: (wanted: boolean) => {
      on = wanted;
    },
    controls,
    boots,
    stop: () => server.close(),
  });
}

export function targetOf(bmc: TestBmc, changes: Partial<IpmiTarget> = {}): IpmiTarget {
  return {
    host: bmc.server.address,
    port: bmc.server.port,
    user: TEST_USER.name,
    password: TEST_USER.password,
    kg: null,
    suite: 'best',
    privilege: 'OPERATOR',
    opensesspriv: true,
    authcap: false,
    idzero: false,
    ignoreChecksums: false,
    ...changes,
  };
}
