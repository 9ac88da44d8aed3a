import { CATALOGUE, type CatalogueEntry, CODES } from './catalogue.ts';

const SECTIONS: [CatalogueEntry['kind'], string, string][] = [
  ['refusal', 'Refusals', 'Something asked for is not done; nothing has changed.'],
  ['failure', 'Failures', 'Work that was begun did not come to its end. The attempt keeps code, message and evidence.'],
  ['warning', 'Warnings', 'Told beside the answer; nothing is stopped by them.'],
];

/** The text of docs/codes.md: every code with what it means and what to do. */
export function renderCodes(): string {
  const lines = [
    '# Codes',
    '',
    'Every refusal, failure and warning of Ingot carries one of these codes, the same in API, UI, CLI and events.',
    'HTTP is the status of the MAAS 2.0 API. Made from `core/machine/catalogue.ts`; change it there, then run',
    '`UPDATE_GOLDEN=1 npx vitest run core/machine/codes-doc.test.ts`.',
  ];
  for (const [kind, title, text] of SECTIONS) {
    lines.push(
      '',
      `## ${title}`,
      '',
      text,
      '',
      '| Code | HTTP | What happened | Message | What to do |',
      '| --- | --- | --- | --- | --- |',
    );
    for (const code of CODES) {
      const entry: CatalogueEntry = CATALOGUE[code];
      if (entry.kind !== kind) continue;
      const cells = [`\`${code}\``, String(entry.http), entry.title, entry.message, entry.fix];
      lines.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
