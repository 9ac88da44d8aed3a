/** Columns padded to their widest cell, two blanks apart, the header first; wide text is measured without colours. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? ''))));
  return all
    .map((row) =>
      header
        .map((_, column) => {
          const cell = row[column] ?? '';
          return column === header.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - visible(cell));
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function visible(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour is
  return [...text.replace(/\u001b\[\d+m/g, '')].length;
}
