/** What lshw knows of the card behind a network port. */
export interface NetworkCard {
  vendor: string;
  product: string;
  firmware: string;
  /** The fastest it can do; 0 = it does not say. */
  maxSpeedMbps: number;
}

/** A machine with more says nothing sensible. */
const MAX_NODES = 10_000;

/**
 * Cards by the kernel name of their port, from `lshw -xml`. A virtio card's port is a node of its own within the node of its
 * PCI device, which has the names. Looks for the few elements wanted instead of reading the document: no entity but the five
 * of XML itself means anything.
 */
export function cardsFromLshw(xml: string): Map<string, NetworkCard> {
  const cards = new Map<string, NetworkCard>();
  const open: Partial<NetworkCard>[] = [];
  let nodes = 0;
  for (const part of xml.split(/(?=<node[\s>]|<\/node>)/)) {
    if (part.startsWith('</node')) {
      open.pop();
      continue;
    }
    if (!part.startsWith('<node')) continue;
    nodes += 1;
    if (nodes > MAX_NODES) break;
    const network = /^<node[^>]*\sclass="network"/.test(part);
    const outer = network ? open.at(-1) : undefined;
    const capacity = Number(text(part, 'capacity')) / 1e6;
    const card: NetworkCard = {
      vendor: text(part, 'vendor') || (outer?.vendor ?? ''),
      product: text(part, 'product') || (outer?.product ?? ''),
      firmware: decoded(/<setting id="firmware" value="([^"]*)"/.exec(part)?.[1] ?? '') || (outer?.firmware ?? ''),
      maxSpeedMbps: Number.isFinite(capacity) && capacity > 0 ? capacity : (outer?.maxSpeedMbps ?? 0),
    };
    open.push(network ? card : {});
    const port = network ? text(part, 'logicalname') : '';
    if (port !== '') cards.set(port, card);
  }
  return cards;
}

/** Text of a node's own element: a part ends where the next node begins. */
function text(part: string, element: string): string {
  return decoded(new RegExp(`<${element}(?: [^>]*)?>([^<]*)</${element}>`).exec(part)?.[1] ?? '');
}

const ENTITIES: Partial<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(value: string): string {
  return value
    .replace(/&(#39|\w+);/g, (whole, name: string) => (name === '#39' ? "'" : (ENTITIES[name] ?? whole)))
    .trim();
}
