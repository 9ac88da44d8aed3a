import { AttemptView, EventView, EvidenceView, Explain, MachineDetail, MachineView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import type { CliContext, GlobalOptions } from '../context.ts';
import { eventTable } from '../format/events.ts';
import { explanation } from '../format/explanation.ts';
import { summary } from '../format/machine.ts';
import { machineTable } from '../format/machines.ts';
import { timeline } from '../format/timeline.ts';
import { openSession } from '../session.ts';

const at = encodeURIComponent;

/** `ingot machines [FILTER…]` */
export async function showMachines(context: CliContext, options: GlobalOptions, filter: string[]): Promise<void> {
  const session = await openSession(context, options);
  const machines = await session.client.get(`/machines?filter=${at(filter.join(' '))}`, z.array(MachineView));
  session.print(machines, () => machineTable(machines, session.colours));
}

/** `ingot machine NAME`: summary and the newest attempt (or every kept one) with its evidence. */
export async function showMachine(
  context: CliContext,
  options: GlobalOptions & { all?: boolean },
  name: string,
): Promise<void> {
  const session = await openSession(context, options);
  const { client, colours } = session;
  const machine = await client.get(`/machines/${at(name)}`, MachineDetail);
  const attempts = await client.get(`/machines/${at(machine.systemId)}/attempts`, z.array(AttemptView));
  const shown = options.all ? [...attempts].reverse() : attempts.slice(0, 1);
  const evidence = await Promise.all(
    shown.map((attempt) =>
      client.get(`/machines/${at(machine.systemId)}/attempts/${attempt.id}/evidence`, z.array(EvidenceView)),
    ),
  );
  const value = { ...machine, attempts: shown.map((attempt, n) => ({ ...attempt, evidence: evidence[n] ?? [] })) };
  session.print(value, () => {
    const now = Date.now();
    const histories = shown.map((attempt, n) => timeline(attempt, evidence[n] ?? [], now, colours));
    return [summary(machine, now, colours), ...histories].join('\n');
  });
}

/** `ingot explain NAME [ACTION]` */
export async function explainAction(
  context: CliContext,
  options: GlobalOptions & { image?: string },
  name: string,
  action: string | undefined,
): Promise<void> {
  const session = await openSession(context, options);
  const query = options.image === undefined ? '' : `?image=${at(options.image)}`;
  if (action === undefined) {
    const all = await session.client.get(`/machines/${at(name)}/explain${query}`, z.array(Explain));
    session.print(all, () => all.map((one) => explanation(name, one, session.colours)).join(''));
    return;
  }
  const one = await session.client.get(`/machines/${at(name)}/explain/${at(action)}${query}`, Explain);
  session.print(one, () => explanation(name, one, session.colours));
}

/** `ingot events [NAME]` */
export async function showEvents(context: CliContext, options: GlobalOptions, name: string | undefined): Promise<void> {
  const session = await openSession(context, options);
  const path = name === undefined ? '/events' : `/machines/${at(name)}/events`;
  const events = await session.client.get(path, z.array(EventView));
  session.print(events, () => eventTable(events));
}
