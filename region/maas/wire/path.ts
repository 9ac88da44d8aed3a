/** Compiled path template: parameters of one segment, but for the two that may hold a slash (conventions §9). */
export interface PathPattern {
  template: string;
  params: readonly string[];
  expression: RegExp;
}

const WIDE: Record<string, string> = {
  'files/{filename}/': '(.+)',
  'subnets/{id}/': '([^/]+(?:/\\d{1,3})?)',
};

/** `template` is relative to /MAAS/api/2.0/. */
export function compilePath(template: string): PathPattern {
  const params: string[] = [];
  const source = template
    .split(/(\{[a-z_]+\})/)
    .map((piece) => {
      const name = /^\{([a-z_]+)\}$/.exec(piece)?.[1];
      if (name === undefined) return piece.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
      params.push(name);
      return WIDE[template] ?? '([^/]+)';
    })
    .join('');
  return { template, params, expression: new RegExp(`^${source}$`) };
}

export function matchPath(pattern: PathPattern, path: string): Record<string, string> | null {
  const match = pattern.expression.exec(path);
  if (match === null) return null;
  return Object.fromEntries(pattern.params.map((name, index) => [name, match[index + 1] ?? '']));
}

/** `machines/abc/op-deploy` → path `machines/abc/`, op `deploy`. Only for templates that end in a slash. */
export function splitOpSuffix(path: string): { path: string; op: string } | null {
  const match = /^(.*\/)op-([^/]+)$/.exec(path);
  return match?.[1] === undefined || match[2] === undefined ? null : { path: match[1], op: match[2] };
}

/** Percent-decoded path, or null when it is not valid. */
export function decodePath(raw: string): string | null {
  try {
    return decodeURIComponent(raw);
  } catch {
    return null;
  }
}
