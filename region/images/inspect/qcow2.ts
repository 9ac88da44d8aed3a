/** Why a qcow2 file is not taken, or how large its disk is. QEMU's docs/interop/qcow2.txt has the header. */
export type Qcow2 = { ok: true; size: number } | { ok: false; why: string };

/** Bytes of the header that are read. */
export const QCOW2_HEAD = 104;
/** Bit 2 of the incompatible features: the data are in another file. */
const EXTERNAL_DATA = 4n;

/**
 * Reads the header ourselves, before any tool opens the file: a backing or data file named in it would be read from the
 * region's own disks.
 */
export function readQcow2(head: Buffer): Qcow2 {
  if (head.length < 72 || head.readUInt32BE(0) !== 0x514649fb) return { ok: false, why: 'it does not begin as one' };
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) return { ok: false, why: `version ${version} is not known` };
  if (head.readBigUInt64BE(8) !== 0n)
    return { ok: false, why: 'it stands on another file (flatten it: qemu-img convert)' };
  if (head.readUInt32BE(32) !== 0) return { ok: false, why: 'it is encrypted' };
  if (version === 3 && head.length >= 80 && (head.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n) {
    return { ok: false, why: 'its data are in another file' };
  }
  return { ok: true, size: Number(head.readBigUInt64BE(24)) };
}
