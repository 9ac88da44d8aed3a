import * as z from 'zod';

/** The webhook message of cloud-init's reporting (metadata-api.md §6). */
export const StatusMessage = z.object({
  event_type: z.string().max(256),
  origin: z.string().max(256),
  name: z.string().max(256),
  description: z.string().max(4096),
  result: z.string().max(256).optional(),
  timestamp: z.number().optional(),
});
export type StatusMessage = z.infer<typeof StatusMessage>;

export type ReadStatus = { ok: true; message: StatusMessage } | { ok: false; text: string };

const REQUIRED = ['event_type', 'origin', 'name', 'description'] as const;

/** Decodes a webhook body; the texts are those that upstream answers with. */
export function readStatus(body: Buffer): ReadStatus {
  // As upstream: cloud-init escapes everything else.
  if (body.some((byte) => byte > 0x7f)) return { ok: false, text: 'Status payload must be ASCII-only' };
  let json: unknown;
  try {
    json = JSON.parse(body.toString('latin1'));
  } catch {
    return { ok: false, text: 'Status payload is not valid JSON' };
  }
  if (typeof json !== 'object' || json === null) return { ok: false, text: 'Status payload is not valid JSON' };
  const missing = REQUIRED.filter((key) => !(key in json));
  if (missing.length > 0) return { ok: false, text: `Missing parameter(s) ${missing.join(', ')} in status message.` };
  const message = StatusMessage.safeParse(json);
  return message.success
    ? { ok: true, message: message.data }
    : { ok: false, text: 'Status payload is not understood' };
}

export type StatusMeaning = { kind: 'note' } | { kind: 'failure' } | { kind: 'finished'; ok: boolean };

/**
 * What a message means for the machine: the top-level finish of modules-final ends the first boot, any failing top-level
 * finish (no "/" in its name) ends it badly; the rest is a note.
 */
export function statusMeaning(message: StatusMessage): StatusMeaning {
  const failed = message.result === 'FAIL' || message.result === 'FAILURE';
  const topLevel = !message.name.includes('/');
  if (message.event_type === 'finish' && topLevel && failed) return { kind: 'finished', ok: false };
  if (message.event_type === 'finish' && message.name === 'modules-final') return { kind: 'finished', ok: true };
  return { kind: failed ? 'failure' : 'note' };
}
