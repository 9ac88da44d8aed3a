/** What an iPXE script of the rack makes a machine do. */
export type BootOrder =
  | { kind: 'ephemeral'; kernel: string; initrd: string; parameters: ReadonlyMap<string, string> }
  | { kind: 'local' }
  | { kind: 'poweroff' }
  /** Ask again after so long. */
  | { kind: 'wait'; seconds: number; why: string };

/** Reads a script as iPXE would, as far as Ingot's use of it goes. Throws when it is none. */
export function parseBootScript(text: string): BootOrder {
  const [first, ...lines] = text.split('\n').map((line) => line.trim());
  if (first !== '#!ipxe') throw new Error(`no iPXE script: ${text.slice(0, 60)}`);
  let kernel: { url: string; parameters: Map<string, string> } | null = null;
  let initrd: string | null = null;
  let why = '';
  let seconds = 1;
  for (const line of lines) {
    const [verb, ...words] = (line.split(' || ')[0] ?? '').split(/\s+/);
    if (verb === 'exit') return { kind: 'local' };
    if (verb === 'poweroff') return { kind: 'poweroff' };
    if (verb === 'kernel') kernel = { url: words[0] ?? '', parameters: parametersOf(words.slice(1)) };
    if (verb === 'initrd') initrd = words.at(-1) ?? '';
    if (verb === 'boot' && kernel !== null && initrd !== null) {
      return { kind: 'ephemeral', kernel: kernel.url, initrd, parameters: kernel.parameters };
    }
    if (verb === 'echo') why = words.join(' ');
    if (verb === 'sleep') seconds = Number(words[0]);
    if (verb === 'chain') return { kind: 'wait', seconds, why };
  }
  throw new Error(`the iPXE script leads nowhere: ${text.slice(0, 200)}`);
}

function parametersOf(words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word) => {
      const at = word.indexOf('=');
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
