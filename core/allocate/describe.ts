import type { Constraints, Submitted } from './constraints.ts';

/** A text as Python shows it in a list: clients compare the whole message. */
function pythonText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  if (escaped.includes("'") && !escaped.includes('"')) return `"${escaped}"`;
  return `'${escaped.replaceAll("'", "\\'")}'`;
}

const pythonFloat = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** The cleaned constraints sorted by name: `arch=amd64/generic mem=9999.0`. */
function resolvedText(constraints: Constraints): string {
  const entries = Object.entries(constraints).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => `${name}=${valueText(value)}`).join(' ');
}

function valueText(value: Constraints[keyof Constraints]): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return pythonFloat(value);
  return Array.isArray(value) ? value.join(',') : value.text;
}

/** The text of the 409 when no machine is left. `submitted` in the order of the request, options included. */
export function nothingAvailable(submitted: Submitted, constraints: Constraints): string {
  const [systemId] = constraints.system_id ?? [];
  if (systemId !== undefined) return `No machine with system ID ${systemId} available.`;
  const resolved = resolvedText(constraints);
  if (resolved === '') return 'No machine available.';
  const pairs = submitted
    .filter(([name]) => name !== 'op')
    .map(([name, values]) => `(${pythonText(name)}, [${values.map(pythonText).join(', ')}])`);
  return `No available machine matches constraints: [${pairs.join(', ')}] (resolved to "${resolved}")`;
}
