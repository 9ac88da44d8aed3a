/** What a stream of a script may hold; longer ones keep head and tail. */
const STREAM_BYTES = 1024 * 1024;

/** A stream with its middle cut out when it is too long. */
export function boundedStream(whole: Buffer): Buffer {
  if (whole.length <= STREAM_BYTES) return whole;
  const cut = Buffer.from(`\n… ${whole.length - STREAM_BYTES} bytes left out …\n`);
  const half = Math.floor((STREAM_BYTES - cut.length) / 2);
  return Buffer.concat([whole.subarray(0, half), cut, whole.subarray(whole.length - half)]);
}
