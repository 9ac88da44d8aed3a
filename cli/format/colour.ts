/** Colours for a terminal; with `enabled` false every function gives its text back unchanged. */
export interface Palette {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

export function palette(enabled: boolean): Palette {
  const paint = (code: number) => (text: string) => (enabled ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: paint(1), dim: paint(2), green: paint(32), yellow: paint(33), red: paint(31) };
}

const ESCAPE = '\u001b';
/** A colour, or a character. */
const PIECE = new RegExp(`${ESCAPE}\\[\\d+m|.`, 'gsu');

/** The first `columns` characters of a text, colours not counted; what is cut off leaves none of them on. */
export function clipped(text: string, columns: number): string {
  let shown = '';
  let left = columns;
  for (const [piece] of text.matchAll(PIECE)) {
    const isColour = piece.startsWith(ESCAPE);
    if (!isColour && left === 0) return shown.includes(ESCAPE) ? `${shown}${ESCAPE}[0m` : shown;
    shown += piece;
    if (!isColour) left -= 1;
  }
  return shown;
}
