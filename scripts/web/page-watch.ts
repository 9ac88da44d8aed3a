import type { Page } from 'playwright-core';

/** What a page must never do: break its own content policy, log an error, throw, or ask anybody but its own region. */
export interface PageWatch {
  problems(): string[];
  /** From here on: forgets what was seen, for steps in which failed requests are the point. */
  forget(): void;
}

export function watchPage(page: Page, origin: string): PageWatch {
  let seen: string[] = [];
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    // The browser itself logs each answer of 400 and above; what the page does with it is what is tested.
    if (message.text().startsWith('Failed to load resource')) return;
    seen.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => seen.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) seen.push(`foreign request: ${url}`);
  });
  return {
    problems: () => seen,
    forget: () => {
      seen = [];
    },
  };
}
