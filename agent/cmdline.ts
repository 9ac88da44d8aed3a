/** What the rack wrote on the kernel command line for this boot, see docs/architecture.md. */
export interface BootParameters {
  /** Base of the rack's plain HTTP, without a closing slash. */
  rack: string;
  /** Base of the rack's HTTPS for agents, without a closing slash. */
  agent: string;
  /** SHA-256 of the rack's DER certificate, lower-case hex. */
  pin: string;
  ticket: string;
}

/** Read /proc/cmdline. Returns the names of what is missing or malformed instead, so that the console can say it. */
export function parseCmdline(text: string): { ok: true; boot: BootParameters } | { ok: false; problems: string[] } {
  const values = new Map<string, string>();
  for (const word of text.trim().split(/\s+/)) {
    const equals = word.indexOf('=');
    if (equals > 0) values.set(word.slice(0, equals), word.slice(equals + 1));
  }
  const problems: string[] = [];
  const take = (name: string, form: RegExp): string => {
    const value = values.get(name) ?? '';
    if (!form.test(value)) problems.push(value === '' ? `${name} is missing` : `${name} is malformed`);
    return value;
  };
  const boot: BootParameters = {
    rack: take('ingot.rack', /^http:\/\/[^/\s]+\/?$/).replace(/\/$/, ''),
    agent: take('ingot.agent', /^https:\/\/[^/\s]+\/?$/).replace(/\/$/, ''),
    pin: take('ingot.pin', /^[0-9a-fA-F]{64}$/).toLowerCase(),
    ticket: take('ingot.ticket', /^[\w-]+\.[\w-]+$/),
  };
  return problems.length === 0 ? { ok: true, boot } : { ok: false, problems };
}
