import type { Code } from './catalogue.ts';
import type { Status } from './status.ts';

/** Milliseconds since the epoch. Core never reads a clock: every instant arrives as an argument. */
export type Instant = number;

export type PowerState = 'on' | 'off' | 'unknown' | 'error';

/** What the convergence loop must make true of the machine's power. `cycle` is "off if on, then on". */
export type PowerWant = 'on' | 'off' | 'cycle';

/** What a network boot of this machine is answered with right now. Stored as a want; racks hold it in their snapshot. */
export type BootTarget = 'ephemeral' | 'local' | 'poweroff';

export type AttemptKind = 'enlist' | 'commission' | 'test' | 'deploy' | 'release' | 'erase' | 'rescue' | 'exit-rescue';

/**
 * The phases of an attempt in the order in which they can come. Script and install steps are phases of their own, named
 * `script:<name>` and `step:<name>`.
 */
export const FIXED_PHASES = [
  'power',
  'dhcp',
  'boot-program',
  'kernel',
  'agent',
  'reboot',
  'first-boot',
  'power-off',
] as const;
export type FixedPhase = (typeof FIXED_PHASES)[number];
export type Phase = FixedPhase | `script:${string}` | `step:${string}`;

/** One run of work on a machine. Outlives the release of the machine. At most one is open (`endedAt === null`) per machine. */
export interface Attempt {
  id: number;
  kind: AttemptKind;
  startedAt: Instant;
  endedAt: Instant | null;
  outcome: 'passed' | 'failed' | 'aborted' | null;
  /** Why it failed, from the catalogue. */
  failure: Failure | null;
  phase: Phase;
  phaseSince: Instant;
  /** When the present phase has taken too long. Null only when ended. */
  deadline: Instant | null;
  /** The newest evidence, kept here so that a timeout can name it without a query. */
  lastEvidence: { kind: string; text: string; at: Instant } | null;
  /** The agent has traded its boot ticket in this attempt. */
  agentSeen: boolean;
}

/**
 * Why work failed: what happened, what was seen, what to do. `code` is a key of the catalogue; a stored one may be of another
 * version, hence a string.
 */
export interface Failure {
  code: string;
  message: string;
  evidence: string | null;
  fix: string;
}

/** Why a command is not possible now. */
export interface Refusal {
  code: Code;
  message: string;
  fix: string;
}

export interface Owner {
  id: number;
  name: string;
}

/** What the lifecycle must know of a machine: one row, loaded under lock by the door, decided upon, saved. */
export interface MachineState {
  systemId: string;
  hostname: string;
  status: Status;
  previousStatus: Status;
  statusSince: Instant;
  owner: Owner | null;
  locked: boolean;
  /** The machine goes away when it is released (created by an API call for one use). */
  dynamic: boolean;
  powerType: string;
  powerState: PowerState;
  /** Outstanding power work; null when nothing is wanted. A change of want raises `generation`. */
  powerWant: PowerWant | null;
  powerSoft: boolean;
  /** Raised with every new power want; power results of an older generation are recorded and ignored. */
  generation: number;
  /** Failed tries of the present want. */
  powerTries: number;
  /** When the convergence loop must look at this machine next; null = nothing to do. */
  nextAt: Instant | null;
  bootTarget: BootTarget;
  waitingFor: { code: string; since: Instant; deadline: Instant } | null;
  attempt: Attempt | null;
  enlisting: boolean;
  netboot: boolean;
  agentName: string;
  osystem: string;
  distroSeries: string;
  hweKernel: string;
  errorDescription: string;
  enableSsh: boolean;
  skipNetworking: boolean;
  skipStorage: boolean;
  skipBmcConfig: boolean;
  erase: { enabled: boolean; secure: boolean; quick: boolean };
  ephemeralDeploy: boolean;
  facts: MachineFacts;
}

/** Facts read by guards and explain; never written by decide(). */
export interface MachineFacts {
  architecture: string;
  interfaceCount: number;
  /** Interfaces with a link in a subnet (or DHCP). */
  linkedInterfaceCount: number;
  diskCount: number;
  /** Aggregate of the current commissioning script set. */
  commissioning: 'none' | 'pending' | 'running' | 'passed' | 'failed';
  ownerHasSshKey: boolean;
  /** An ephemeral image for the machine's architecture is in the store. */
  ephemeralImage: boolean;
  /** A connected rack serves the machine's boot VLAN, or can reach its BMC. */
  rackConnected: boolean;
  /** A service without which no machine boots is down on the rack that serves this one, and no other rack could. */
  bootServiceDown: { rack: string; service: string; detail: string } | null;
  /** Why the disk to install on cannot hold a system; null when it can, or when there is none. */
  diskTooSmall: string | null;
  /** An agent that was told to stay has asked for work, or was told so, within its polling time. */
  agentWaiting: boolean;
}

export type Actor =
  | { kind: 'user'; id: number; name: string; admin: boolean }
  | { kind: 'system' }
  | { kind: 'agent' }
  | { kind: 'rack'; rackId: string }
  | { kind: 'timer' };

export interface ScriptChoice {
  commissioning?: string[];
  testing?: string[];
  release?: string[];
  parameters?: Record<string, string>;
}

/** Everything that can happen to a machine. People, agents, racks and timers all come in by this union. */
export type Command =
  | { type: 'accept'; actor: Actor }
  | {
      type: 'commission';
      actor: Actor;
      enableSsh?: boolean;
      skipBmcConfig?: boolean;
      skipNetworking?: boolean;
      skipStorage?: boolean;
      scripts?: ScriptChoice;
      comment?: string;
    }
  | { type: 'test'; actor: Actor; enableSsh?: boolean; scripts?: ScriptChoice; comment?: string }
  | { type: 'abort'; actor: Actor; comment?: string }
  | { type: 'allocate'; actor: Actor; agentName?: string; comment?: string }
  | {
      type: 'deploy';
      actor: Actor;
      osystem: string;
      distroSeries: string;
      hweKernel?: string;
      /** The chosen image exists for the machine's architecture; looked up by the caller. */
      imageAvailable: boolean;
      /** What core/plan found to speak against it, looked up by the caller: refused unless the guards say it already. */
      obstacles?: Refusal[];
      ephemeral?: boolean;
      agentName?: string;
      comment?: string;
    }
  | {
      type: 'release';
      actor: Actor;
      erase?: boolean;
      secureErase?: boolean;
      quickErase?: boolean;
      scripts?: ScriptChoice;
      comment?: string;
    }
  | { type: 'rescue'; actor: Actor; comment?: string }
  | { type: 'exit-rescue'; actor: Actor; comment?: string }
  | { type: 'mark-broken'; actor: Actor; comment?: string }
  | { type: 'mark-fixed'; actor: Actor; comment?: string }
  | { type: 'mark-failed'; actor: Actor; comment?: string }
  | { type: 'override-failed-testing'; actor: Actor; comment?: string }
  | { type: 'lock'; actor: Actor; comment?: string }
  | { type: 'unlock'; actor: Actor; comment?: string }
  | { type: 'power-on'; actor: Actor; comment?: string }
  | { type: 'power-off'; actor: Actor; soft?: boolean; comment?: string }
  | { type: 'delete'; actor: Actor }
  /** The machine was enlisted by its own report through a rack; only on a freshly made NEW machine or one in NEW. */
  | { type: 'enlisted'; actor: Actor }
  /** Outcome of power work, with the triple it was ordered under. */
  | {
      type: 'power-result';
      actor: Actor;
      attemptId: number | null;
      generation: number;
      outcome: { ok: true; state: PowerState } | { ok: false; class: PowerErrorClass; message: string };
    }
  /** A power state seen by a query that nobody's attempt waited for. */
  | { type: 'power-observed'; actor: Actor; state: PowerState }
  /** Evidence that moves the attempt to another phase. */
  | {
      type: 'phase';
      actor: Actor;
      attemptId: number;
      phase: Phase;
      evidence: { kind: string; text: string };
      /** Own limit of this phase, ms (a script's timeout + 300 s); repeated in the same phase it moves the deadline on. */
      limitMs?: number;
    }
  /** The agent traded its ticket for a session in this attempt. */
  | { type: 'agent-session'; actor: Actor; attemptId: number }
  /** The agent's (or cloud-init's) closing word about its task. */
  | {
      type: 'agent-done';
      actor: Actor;
      attemptId: number;
      outcome: 'ok' | 'failed';
      /** A built-in or chosen script failed. */
      failure?: Failure;
      /** Commissioning only: tests follow within the same boot. */
      testing?: boolean;
    }
  /** Installer wrote the system and will reboot: next network boot is local. */
  | {
      type: 'installed';
      actor: Actor;
      attemptId: number;
      /** The agent starts it itself, without a reset. */
      kexec?: boolean;
    }
  /** The deployed system read its user-data with its instance token. */
  | { type: 'instance-user-data'; actor: Actor }
  /** cloud-init's top-level finish of modules-final, or a failing top-level finish. */
  | { type: 'instance-finished'; actor: Actor; ok: boolean; description: string }
  | { type: 'deadline'; actor: Actor };

export type CommandType = Command['type'];

export type PowerErrorClass = 'auth' | 'setting' | 'tool' | 'fatal' | 'connection' | 'action';

/** Event written in the same transaction; `type` is an event type of lifecycle.md §16. */
export interface DomainEvent {
  type: string;
  level: 'AUDIT' | 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';
  description: string;
}

/** What the store must do in the same transaction, beside saving the row. Data, never a call to the outside. */
export type Effect =
  | {
      type: 'create-script-set';
      kind: 'commissioning' | 'testing' | 'installation' | 'release' | 'deployment';
      scripts?: ScriptChoice;
      wipe?: { secure: boolean; quick: boolean };
    }
  | {
      type: 'abort-results';
      kinds: ('commissioning' | 'testing' | 'installation' | 'release' | 'deployment')[];
      status: 'aborted' | 'failed' | 'timedout';
    }
  | { type: 'prepare-commissioning'; clearStorage: boolean; clearNetwork: boolean }
  | { type: 'claim-addresses' }
  | { type: 'release-addresses' }
  /** Make the instance token and forget any older one. */
  | { type: 'create-instance-token' }
  | { type: 'revoke-instance-token' }
  | { type: 'clear-owner-data' }
  | { type: 'delete-machine' }
  /** The agent that was told to stay works for the attempt that was just opened. */
  | { type: 'hand-over-agent' }
  /** Whatever agent works for the open attempt is not listened to any more. */
  | { type: 'dismiss-agent' };

export type Decision =
  | {
      ok: true;
      machine: MachineState;
      events: DomainEvent[];
      effects: Effect[];
      note?: 'no-op' | 'stale';
      /** An attempt that this decision ended and replaced by the new one in `machine.attempt`; save both. */
      closed?: Attempt;
    }
  | { ok: false; refused: Refusal[] };

/** What decide() may use besides its arguments. `attemptId` is the id a newly opened attempt gets. */
export interface DecideContext {
  now: Instant;
  attemptId: number;
  /** Setting node_timeout, minutes. */
  nodeTimeout: number;
  settings: { eraseOnRelease: boolean; secureErase: boolean; quickErase: boolean };
  /** Longest time a phase may take, ms, by phase; core has defaults. */
  phaseLimits?: Partial<Record<string, number>>;
  /** How long a machine stays on for more work, ms (setting fast_track); 0 or none: it is switched off at once. */
  fastTrackMs?: number;
}

/** Signature of the door's question: see decide.ts. */
export type Decide = (machine: MachineState, command: Command, context: DecideContext) => Decision;
