/** ISO 8601 with `Z`; the fraction is dropped when zero, as MAAS 3.6+ does. */
export function isoDate(date: Date): string {
  const text = date.toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

/** RFC 2822 with zone, for script sets and results: `Fri, 02 Jan 2026 03:04:05 +0000`. */
export function rfc2822(date: Date): string {
  return date.toUTCString().replace(/GMT$/, '+0000');
}

/** Events and subnet addresses: `Fri, 02 Jan. 2026 03:04:05` (python-libmaas parses exactly this). */
export function eventDate(date: Date): string {
  return date.toUTCString().replace(/^(\w{3}, \d{2} \w{3}) (\d{4} [\d:]{8}) GMT$/, '$1. $2');
}

/** `[D day[s], ]H:MM:SS` of a duration in seconds. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = `${Math.floor((whole % 86_400) / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`;
}
