import type { PowerOutcome, PowerWork } from '@ingot/contract/rack.ts';
import type { PowerState } from '@ingot/core/machine/model.ts';
import { isRetryable, type PowerCall, type PowerDriver, PowerFailure } from './driver.ts';

/** Where a piece of work stands. Written down before the BMC is called, so that a restarted rack knows what it may have done. */
export type PowerStep = 'off' | 'on';

export interface ConvergeOptions {
  /** Waits; rejects when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Called and awaited before each power-changing call. */
  mark(step: PowerStep): Promise<void>;
  /** The step that an earlier run of this work had begun. */
  resumeAt: PowerStep | null;
  softOffMs: number;
}

export const SOFT_OFF_MS = 60_000;
/** How soon a state is asked for again while it changes. A machine that obeys at once costs no wait at all. */
const POLL_MS = [300, 300, 300, 500, 800, 1000];
const SLOW_POLL_MS = 2000;
/** How often a BMC that cannot be reached is asked for a soft-off before the hard one is tried. */
const SOFT_TRIES = 2;

/**
 * Makes the power what the work wants and looks whether it is so. Never rejects.
 *
 * `cycle` is off (if on), then on. Once the off was seen done, the work stands at `on` for good: a restart in between
 * cannot switch the machine off a second time.
 */
export async function convergePower(
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<PowerOutcome> {
  try {
    return { ok: true, state: await converge(work, driver, call, options) };
  } catch (error) {
    if (error instanceof PowerFailure) return { ok: false, class: error.failure, message: error.message };
    const why = call.signal.aborted ? 'given up: a newer order came or its time ran out' : messageOf(error);
    return { ok: false, class: call.signal.aborted ? 'action' : 'fatal', message: why };
  }
}

async function converge(
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<PowerState> {
  const { parameters } = work;
  if (work.action === 'query') return await queryPatiently(work, driver, call, options);
  const off = async (soft: boolean) => {
    await options.mark('off');
    return await driver.off(parameters, soft, call);
  };
  const on = async () => {
    await options.mark('on');
    return await driver.on(parameters, { from: work.bootFrom, firmware: work.firmware }, call);
  };
  switch (work.action) {
    case 'on':
      return await untilState('on', on, work, driver, call, options);
    case 'off':
      if (isSoft(work) && (await offSoftly(off, work, driver, call, options))) return stateAfter(driver, 'off');
      return await untilState('off', () => off(false), work, driver, call, options);
    case 'cycle':
      if (options.resumeAt !== 'on') await untilState('off', () => off(false), work, driver, call, options);
      return await untilState('on', on, work, driver, call, options);
  }
}

/** Asked to be, or the machine's BMC is always to be asked so; a soft one that does not come is a hard one after its time. */
const isSoft = ({ soft, parameters }: PowerWork) => soft || parameters.power_off_mode === 'soft';

const stateAfter = (driver: PowerDriver, wanted: PowerState): PowerState =>
  driver.schema.queryable ? wanted : 'unknown';

async function queryPatiently(
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<PowerState> {
  let last: PowerFailure | null = null;
  for (const wait of [0, ...driver.retryWaitsMs.slice(0, -1)]) {
    if (last !== null) await options.sleep(wait, call.signal);
    try {
      return await driver.query(work.parameters, call);
    } catch (error) {
      if (!(error instanceof PowerFailure) || !isRetryable(error.failure)) throw error;
      last = error;
    }
  }
  throw last ?? new PowerFailure('fatal', 'no try was made');
}

/** Does the action, looks, and does it again when the state did not come: as often as the driver has waits. */
async function untilState(
  wanted: 'on' | 'off',
  act: () => Promise<'already' | 'sent'>,
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<PowerState> {
  if (!driver.schema.queryable) {
    await act();
    return 'unknown';
  }
  let last: PowerFailure | null = null;
  for (const wait of driver.retryWaitsMs) {
    try {
      if ((await act()) === 'already') return wanted;
    } catch (error) {
      if (!(error instanceof PowerFailure) || !isRetryable(error.failure)) throw error;
      call.note(error.message);
      last = error;
      await options.sleep(wait, call.signal);
      continue;
    }
    if (await comesTo(wanted, wait, work, driver, call, options)) return wanted;
    const from = wanted === 'on' ? 'off' : 'on';
    last = new PowerFailure('action', `Failed to power ${wanted}. BMC never transitioned from ${from} to ${wanted}.`);
    call.note(last.message);
  }
  throw last ?? new PowerFailure('fatal', 'the driver allows no try');
}

/** Asks at once, then in growing steps, for at most `withinMs`. Silence meanwhile is not an answer. */
async function comesTo(
  wanted: PowerState,
  withinMs: number,
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<boolean> {
  const end = options.now() + withinMs;
  for (let i = 0; ; i++) {
    try {
      if ((await driver.query(work.parameters, call)) === wanted) return true;
    } catch (error) {
      if (!(error instanceof PowerFailure) || !isRetryable(error.failure)) throw error;
    }
    const left = end - options.now();
    if (left <= 0) return false;
    await options.sleep(Math.min(POLL_MS[i] ?? SLOW_POLL_MS, left), call.signal);
  }
}

/** Asks the operating system to go; false = it did not in time, or the BMC cannot ask. */
async function offSoftly(
  off: (soft: boolean) => Promise<'already' | 'sent'>,
  work: PowerWork,
  driver: PowerDriver,
  call: PowerCall,
  options: ConvergeOptions,
): Promise<boolean> {
  let sent = false;
  for (const wait of driver.retryWaitsMs.slice(0, SOFT_TRIES)) {
    try {
      if ((await off(true)) === 'already' || !driver.schema.queryable) return true;
      sent = true;
      break;
    } catch (error) {
      if (!(error instanceof PowerFailure) || !isRetryable(error.failure)) throw error;
      call.note(error.message);
      if (error.failure === 'action') return false;
      // It may have arrived: a hard off now would cut the power under a system that is on its way down.
      if (await comesTo('off', wait, work, driver, call, options)) return true;
    }
  }
  if (!sent) return false;
  if (await comesTo('off', options.softOffMs, work, driver, call, options)) return true;
  call.note(`the operating system did not switch off in ${options.softOffMs / 1000} s: switching off hard`);
  return false;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
