import type { CatalogueEntry } from './catalogue.ts';
import { ACCOUNTS } from './catalogue-accounts.ts';
import { FAILURES } from './catalogue-failures.ts';
import { IMAGES } from './catalogue-images.ts';
import { MACHINES } from './catalogue-machines.ts';
import { NETWORKS } from './catalogue-networks.ts';
import { RACKS } from './catalogue-racks.ts';
import { REFUSALS } from './catalogue-refusals.ts';
import { REQUESTS } from './catalogue-requests.ts';

interface Section {
  title: string;
  text: string;
  entries: Readonly<Record<string, CatalogueEntry>>;
}

/** The page's chapters; together they hold every code once. */
const SECTIONS: readonly Section[] = [
  {
    title: 'Failed work',
    text: 'Work on a machine that was begun and did not come to its end. The attempt keeps code, message and the newest evidence.',
    entries: FAILURES,
  },
  {
    title: 'Not possible now',
    text: 'What was asked of a machine is not done, and nothing has changed. Warnings stand beside the answer and stop nothing.',
    entries: REFUSALS,
  },
  { title: 'Machines', text: 'A machine is not made or changed as asked.', entries: MACHINES },
  { title: 'Images', text: 'The image store does not do as asked.', entries: IMAGES },
  { title: 'Networks', text: 'A network is not served as asked.', entries: NETWORKS },
  { title: 'Accounts and keys', text: 'An account or a key is not taken.', entries: ACCOUNTS },
  { title: 'Requests', text: 'A request, whatever it was about, is not carried out.', entries: REQUESTS },
  {
    title: 'Between programs',
    text: 'Said to racks and agents, and by racks to machines. People meet these in logs.',
    entries: RACKS,
  },
];

const HEAD = `# Codes

Every refusal, failure and warning of Ingot carries one of these codes, the same in API, UI, CLI, events and logs. Each entry
says what the code means, the message that is seen, and what to do. Words in braces are filled in.

HTTP is the status of an answer that refuses by the code. For what the lifecycle refuses it is the one of the MAAS 2.0 API;
the native API answers a missing permission with 403, a missing image with 400, a missing rack or address with 503 and
anything else that is not possible now with 409.

Made from \`core/machine/catalogue*.ts\`; change it there, then run
\`UPDATE_GOLDEN=1 npx vitest run core/machine/codes-doc.test.ts\`. Which test provokes which code stands in
\`core/machine/provoked-codes.tsv\`.
`;

/** The text of docs/codes.md: every code with what it means, what is seen, and what to do. */
export function renderCodes(): string {
  const index = SECTIONS.map(({ title, entries }) => {
    const codes = Object.keys(entries).map((code) => `[\`${code}\`](#${anchorOf(code)})`);
    return `**${title}:** ${codes.join(' · ')}\n`;
  });
  return [HEAD, ...index, ...SECTIONS.map(renderSection)].join('\n');
}

/** As the usual Markdown renderers make it of the heading: dots go. */
function anchorOf(code: string): string {
  return code.replaceAll('.', '');
}

function renderSection({ title, text, entries }: Section): string {
  return [`## ${title}\n\n${text}\n`, ...Object.entries(entries).map(renderEntry)].join('\n');
}

function renderEntry([code, entry]: [string, CatalogueEntry]): string {
  const means = entry.means === undefined ? '' : ` ${entry.means}`;
  return [
    `### \`${code}\`\n`,
    `${entry.title}.${means} (${entry.kind}, HTTP ${entry.http})\n`,
    `- Seen: ${entry.message}`,
    `- Do: ${entry.fix}\n`,
  ].join('\n');
}
