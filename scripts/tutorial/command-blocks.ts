/** Texts of the fenced blocks that are marked ```sh tested, with the line where each begins. */
export function testedBlocks(page: string): { line: number; text: string }[] {
  const blocks: { line: number; text: string }[] = [];
  let open: { line: number; lines: string[] } | null = null;
  for (const [index, line] of page.split('\n').entries()) {
    if (open === null && line.trim() === '```sh tested') open = { line: index + 1, lines: [] };
    else if (open !== null && line.trim() === '```') {
      blocks.push({ line: open.line, text: open.lines.join('\n') });
      open = null;
    } else open?.lines.push(line);
  }
  if (open !== null) throw new Error(`the block of line ${open.line} does not end`);
  return blocks;
}
