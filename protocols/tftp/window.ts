/**
 * The sender's side of RFC 7440: which blocks are on their way and what an ACK means for them. Pure. Blocks count from
 * 1 and on beyond 65535; the wire carries them modulo 65536. Block 0 is the OACK.
 */
export interface SendWindow {
  /** Blocks sent before an ACK is waited for. */
  readonly size: number;
  /** Number of the file's last block, the one shorter than the rest. */
  readonly last: number;
  /** The first block that is not acknowledged. */
  base: number;
  /** The first block that was not sent since `base` was reached or gone back to. */
  next: number;
  /** Until `base` has passed this, an ACK that acknowledges nothing new is not answered. */
  deafUntil: number;
}

export function openWindow(size: number, fileSize: number, blockSize: number): SendWindow {
  return { size, last: Math.floor(fileSize / blockSize) + 1, base: 1, next: 1, deafUntil: 0 };
}

/** Blocks to send now, from `window.next` on; none = wait for an ACK. */
export function blocksToSend(window: SendWindow): number {
  return Math.max(0, Math.min(window.base + window.size, window.last + 1) - window.next);
}

/** What is unacknowledged goes out once more: after a time-out. */
export function goBack(window: SendWindow): void {
  window.next = window.base;
}

export type AckMeaning = 'nothing' | 'send' | 'done';

/**
 * Takes the ACK of a wire block number into the window. "send" = `blocksToSend` has some now.
 *
 * An ACK below the last block sent names the block before a lost one: sending starts again behind it (RFC 7440 §4).
 * One that names the block before `base` means that the window's first block was lost, or is a copy of the ACK already
 * had: it is answered once and then not for two windows, or every later window would go out twice (the "sorcerer's
 * apprentice", RFC 1123 §4.2.3.1). In lockstep it is never answered.
 */
export function acknowledge(window: SendWindow, wireBlock: number): AckMeaning {
  const news = (wireBlock - (window.base - 1)) & 0xffff;
  const sent = window.next - window.base;
  if (news > sent) return 'nothing';
  if (news === 0) {
    if (window.size === 1 || sent === 0 || window.base <= window.deafUntil) return 'nothing';
    window.deafUntil = window.base + 2 * window.size;
    goBack(window);
    return 'send';
  }
  window.base += news;
  if (window.base > window.last) return 'done';
  if (news < sent) {
    // Blocks behind the gap are still arriving there, and each may be answered by the same ACK.
    window.deafUntil = window.base;
    goBack(window);
  }
  return 'send';
}
