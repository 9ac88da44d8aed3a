/** One archive as apt knows it: a URI, a suite and its components. */
export interface AptSource {
  uri: string;
  suite: string;
  components: string[];
  /** Options as apt's one-line format writes them, e.g. `signed-by` → path. */
  options: Record<string, string>;
}

/** Options that change which key is trusted; others (languages, pdiffs …) do not matter to an image. */
const KEPT_OPTIONS = ['signed-by', 'trusted', 'check-valid-until', 'check-date'];

/** Parse apt's one-line format (`deb [options] uri suite component…`), see sources.list(5). `deb-src` lines are left out. */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$/.exec(withoutComment(line));
    if (match === null) continue;
    const [, optionText = '', uri = '', suite = '', components = ''] = match;
    const options: Record<string, string> = {};
    for (const option of optionText.split(/\s+/)) {
      const [key, value] = option.split(/\+?-?=/, 2);
      if (key !== undefined && value !== undefined && KEPT_OPTIONS.includes(key)) options[key] = value;
    }
    sources.push({ uri, suite, components: components.trim().split(/\s+/).filter(Boolean), options });
  }
  return sources;
}

/** Parse deb822 stanzas (`*.sources`), see sources.list(5). Disabled stanzas, `deb-src` and embedded keys are left out. */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields = stanzaFields(stanza);
    const words = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if ((fields.get('enabled') ?? 'yes').toLowerCase() === 'no' || !words('types').includes('deb')) continue;
    const options: Record<string, string> = {};
    for (const name of KEPT_OPTIONS) {
      const value = fields.get(name);
      // A key block inside the stanza spans lines; it cannot be said in the one-line form that the builder passes on.
      if (value !== undefined && value !== '' && !/\s/.test(value)) options[name] = value;
    }
    for (const uri of words('uris')) {
      for (const suite of words('suites')) sources.push({ uri, suite, components: words('components'), options });
    }
  }
  return sources;
}

/**
 * The archives an image of `codename` is made from: of the host's sources those whose suite belongs to the release and that
 * have `main`. Backports are left out, as are vendors' archives, which have other components.
 */
export function imageSources(sources: AptSource[], codename: string): AptSource[] {
  const suites = [codename, `${codename}-updates`, `${codename}-security`, `${codename}/updates`];
  const seen = new Set<string>();
  const chosen: AptSource[] = [];
  for (const source of sources) {
    const key = `${source.uri} ${source.suite}`;
    if (!suites.includes(source.suite) || !source.components.includes('main') || seen.has(key)) continue;
    seen.add(key);
    chosen.push({ ...source, components: ['main'] });
  }
  return chosen;
}

/** Back to the one-line format, which mmdebstrap takes as an argument. */
export function oneLine(source: AptSource): string {
  const options = Object.entries(source.options).map(([key, value]) => `${key}=${value}`);
  const bracket = options.length === 0 ? '' : `[${options.join(' ')}] `;
  return `deb ${bracket}${source.uri} ${source.suite} ${source.components.join(' ')}`;
}

function withoutComment(line: string): string {
  const hash = line.indexOf('#');
  return (hash < 0 ? line : line.slice(0, hash)).trim();
}

function stanzaFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (field !== null) {
      current = (field[1] ?? '').toLowerCase();
      fields.set(current, (field[2] ?? '').trim());
    } else if (/^\s/.test(line) && current !== '') {
      fields.set(current, `${fields.get(current) ?? ''} ${line.trim()}`.trim());
    }
  }
  return fields;
}
