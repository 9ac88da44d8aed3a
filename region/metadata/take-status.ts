import type { DomainEvent } from '@ingot/core/machine/model.ts';
import type { RegionDeps } from '../deps.ts';
import { appendEvidence, markAttemptsChanged } from '../evidence/rows.ts';
import { writeEvents } from '../lifecycle/write-events.ts';
import type { Instance } from './instance.ts';
import { type StatusMessage, statusMeaning } from './status-event.ts';

/** Takes a webhook message of a deployed machine: evidence always, events for starts and failures, the end of first boot. */
export async function takeStatus(deps: RegionDeps, instance: Instance, message: StatusMessage): Promise<void> {
  const { attemptId, systemId } = instance;
  const meaning = statusMeaning(message);
  const text = `${message.origin} ${message.event_type} ${message.name}: ${message.result ?? message.description}`;
  if (attemptId !== null) {
    const data = { name: message.name, result: message.result ?? null, timestamp: message.timestamp ?? null };
    await appendEvidence(deps.db, [
      {
        attemptId,
        systemId,
        mac: '',
        agoMs: 0,
        phase: 'first-boot',
        kind: 'cloud-init',
        text: text.slice(0, 1024),
        data,
      },
    ]);
    await markAttemptsChanged(deps.db, [attemptId]);
  }
  const failed = meaning.kind === 'failure' || (meaning.kind === 'finished' && !meaning.ok);
  if (message.event_type === 'start' || failed) {
    const deploying = instance.status === 'DEPLOYING';
    const event: DomainEvent = {
      type: !failed ? 'NODE_INSTALL_EVENT' : deploying ? 'NODE_INSTALL_EVENT_FAILED' : 'NODE_POST_INSTALL_EVENT_FAILED',
      level: failed ? 'ERROR' : 'DEBUG',
      description: `'${message.origin}' ${message.description}`,
    };
    const identity = { id: instance.machineId, systemId, hostname: instance.hostname };
    await deps.db.transaction().execute((trx) => writeEvents(trx, identity, [event], { kind: 'system' }, undefined));
  }
  if (meaning.kind === 'finished') {
    const { description } = message;
    await deps.door.apply(systemId, {
      type: 'instance-finished',
      actor: { kind: 'system' },
      ok: meaning.ok,
      description: `${message.name}: ${description}`,
    });
  }
  deps.changes.announce();
}
