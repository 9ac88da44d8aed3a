/** Bytes in decimal units, as disks are sold: "4.3 GB". */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Memory in MiB as GiB where that is a round thing to say: 2048 → "2 GiB", 1344 → "1.3 GiB". */
export function memory(mebibytes: number): string {
  if (mebibytes < 1024) return `${mebibytes} MiB`;
  const value = mebibytes / 1024;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} GiB`;
}
