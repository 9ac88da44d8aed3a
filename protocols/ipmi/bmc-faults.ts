/** What may be wrong with a simulated BMC, as data. Read at every packet, so it may change at any time. */
export interface BmcFaults {
  /** Nothing is answered. */
  silent?: boolean;
  /** Every login is refused as with a wrong password. */
  refusesLogin?: boolean;
  /** 'off' and 'on' say so whatever is true; 'deaf' says yes to every chassis control and does nothing. */
  lies?: 'off' | 'on' | 'deaf';
  /** 0–1: chance that a packet is lost, each way. */
  loss?: number;
  /** Answers come this late; what they tell of was done at once. */
  delayMs?: number;
  /** Chassis control is done and answered this late, or never answered. */
  control?: { delayMs: number } | 'unanswered';
  /** 0–1: chance that an answer is cut, altered, drowned in rubbish or replaced by it. */
  malformed?: number;
  /** Repeated requests are done again rather than answered from memory, as by Debian's ipmi_sim. */
  forgetful?: boolean;
}

/** Reproducible numbers 0 ≤ x < 1 (mulberry32): the same seed loses and alters the same packets. */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Largest UDP payload that loopback carries in one piece is 65,507 bytes; this stays below. */
const OVERSIZED = 60_000;

/** One answer as a broken BMC would send it. */
export function malform(bytes: Buffer, chance: () => number): Buffer {
  const below = (limit: number) => Math.floor(chance() * limit);
  switch (below(6)) {
    case 0:
      return bytes.subarray(0, below(bytes.length));
    case 1: {
      const flipped = Buffer.from(bytes);
      const at = below(bytes.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << below(8));
      return flipped;
    }
    case 2:
      return Buffer.concat([bytes, Buffer.alloc(below(OVERSIZED), below(256))]);
    case 3: {
      // The head is right, what follows is not.
      const head = Math.min(bytes.length, 4 + below(14));
      return Buffer.concat([bytes.subarray(0, head), rubbish(below(300), chance)]);
    }
    case 4: {
      // A length that promises more than there is.
      const lying = Buffer.from(bytes);
      if (lying.length > 16) lying.writeUInt16LE(below(0x10000), 14);
      return lying;
    }
    default:
      return rubbish(below(1500), chance);
  }
}

const rubbish = (length: number, chance: () => number) =>
  Buffer.from(Array.from({ length }, () => Math.floor(chance() * 256)));
