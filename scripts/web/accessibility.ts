import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const source = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** As text, so that no type of the page's world is needed here. Gives one line a violation. */
const RUN = `axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(TAGS)} } }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.map((node) =>
    id + ': ' + node.target.join(' ') + ' ' + (node.failureSummary || '').replace(/\\s+/g, ' '))))`;

/**
 * What axe finds on the page as it is now, in a light and in a dark scheme, with animations ended. The checker runs in a
 * world of its own, so the page's content policy stays as it is.
 */
export async function violations(page: Page): Promise<string[]> {
  const found: string[] = [];
  const axe = await readFile(source, 'utf8');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // A scheme fades in; contrast counts when it has.
    await page.waitForTimeout(250);
    await page.evaluate(axe);
    const lines: string[] = await page.evaluate(RUN);
    found.push(...lines.map((line) => `${colorScheme}: ${line}`));
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  return found;
}
