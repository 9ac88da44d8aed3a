import type { Evidence } from '@ingot/contract/rack.ts';
import type { Phase } from '@ingot/core/machine/model.ts';
import type { RegionDeps } from '../deps.ts';
import { phaseFor } from './phase-for.ts';
import {
  appendEvidence,
  attemptsById,
  type EvidenceRow,
  imageFiles,
  type KnownAttempt,
  markAttemptsChanged,
  noteNewest,
  ownersByMac,
} from './rows.ts';

/** Which attempt each item speaks of: the one it names, else the open one of the machine with its MAC. */
async function placed(
  deps: RegionDeps,
  items: readonly Evidence[],
): Promise<{ item: Evidence; systemId: string | null; attempt: KnownAttempt | null }[]> {
  const macs = [...new Set(items.flatMap((item) => (item.mac === '' ? [] : [item.mac.toLowerCase()])))];
  const owners = await ownersByMac(deps.db, macs);
  const ids = new Set<number>();
  for (const item of items) {
    const id = item.attempt ?? owners.get(item.mac.toLowerCase())?.attemptId;
    if (id !== null && id !== undefined) ids.add(id);
  }
  const attempts = await attemptsById(deps.db, [...ids]);
  return items.map((item) => {
    const owner = owners.get(item.mac.toLowerCase());
    const attempt = attempts.get(item.attempt ?? owner?.attemptId ?? -1) ?? null;
    // A rack may name an attempt only together with its machine; anything else is kept, but attached to nothing.
    const fits = attempt === null || item.systemId === null || item.systemId === attempt.systemId;
    return {
      item,
      systemId: attempt && fits ? attempt.systemId : (owner?.systemId ?? null),
      attempt: fits ? attempt : null,
    };
  });
}

const FILE_WORDS: Partial<Record<string, string>> = {
  'boot-kernel': 'kernel',
  'boot-initrd': 'initrd',
  squashfs: 'squashfs',
  'root-tgz': 'image',
  'root-tar.zst': 'image',
};

function blobOf(item: Evidence): string | null {
  const { path } = item.data;
  if (item.kind !== 'http.read' || typeof path !== 'string') return null;
  return /\/blobs\/sha256\/(?:[0-9a-f]{2}\/)?([0-9a-f]{64})$/.exec(path)?.[1] ?? null;
}

/** A rack serves blobs by their sum; here is known what they are, and whether that was the whole file. */
async function named(deps: RegionDeps, items: readonly Evidence[]): Promise<Evidence[]> {
  const sums = new Set(items.flatMap((item) => blobOf(item) ?? []));
  const files = await imageFiles(deps.db, [...sums]);
  return items.map((item) => {
    const known = files.get(blobOf(item) ?? '');
    if (!known) return item;
    const complete = typeof item.data.bytes === 'number' && item.data.bytes >= known.size;
    const file = FILE_WORDS[known.filetype] ?? known.filetype;
    return { ...item, text: `${item.text} (${file})`, data: { ...item.data, file, complete } };
  });
}

/** An agent's progress is evidence by what it says, which the region keeps itself; that it was forwarded adds nothing. */
function isChatter(item: Evidence): boolean {
  return item.kind === 'agent.forward' && item.data.path === '/agent/v1/progress';
}

/**
 * Keeps a batch of a rack's evidence and moves the phases that it proves. Rows are appended without any machine's lock;
 * only a change of phase goes through the door, where a stale one is ignored.
 */
export async function recordEvidence(deps: RegionDeps, rackId: string, items: readonly Evidence[]): Promise<void> {
  const telling = items.filter((item) => !isChatter(item));
  if (telling.length === 0) return;
  const known = await placed(deps, await named(deps, telling));
  const phases = new Map<number, string>();
  const moves: { systemId: string; attemptId: number; phase: Phase; item: Evidence }[] = [];
  const newest = new Map<number, Evidence>();
  const rows: EvidenceRow[] = known.map(({ item, systemId, attempt }) => {
    const phase = attempt ? (phases.get(attempt.id) ?? attempt.phase) : '';
    if (attempt) {
      // Without an attempt's name it may be late, of the boot before: that would take this attempt's power order back, and
      // stand in its failure.
      const isEarly = item.attempt === null && phase === 'power';
      if (!isEarly) newest.set(attempt.id, item);
      const next = isEarly ? null : phaseFor(item.kind, item.data, { phase, ended: attempt.ended });
      if (next) {
        phases.set(attempt.id, next);
        moves.push({ systemId: attempt.systemId, attemptId: attempt.id, phase: next, item });
      }
    }
    return {
      attemptId: attempt?.id ?? null,
      systemId,
      mac: item.mac.toLowerCase(),
      agoMs: item.agoMs,
      phase,
      kind: item.kind,
      text: item.text,
      data: { ...item.data, address: item.address, rack: rackId },
    };
  });
  await appendEvidence(deps.db, rows);
  for (const [id, item] of newest) await noteNewest(deps.db, id, item.kind, item.text, item.agoMs);
  await markAttemptsChanged(deps.db, [...new Set(rows.flatMap((row) => row.attemptId ?? []))]);
  deps.changes.announce();
  for (const { systemId, attemptId, phase, item } of moves) {
    const applied = await deps.door.apply(systemId, {
      type: 'phase',
      actor: { kind: 'rack', rackId },
      attemptId,
      phase,
      evidence: { kind: item.kind, text: item.text },
    });
    if (!applied.ok) deps.log.debug({ systemId, attemptId, phase, refused: applied.refused }, 'phase not taken');
  }
}
