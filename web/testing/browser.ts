import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's Chromium, without the background traffic that a closed network refuses. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * What a person does in the console, by role and name only, so that what a screen reader is told is what is tested.
 * Every wait has its limit; a wait that runs out names what it waited for.
 */
export function operator(page: Page, url: string) {
  return {
    async signIn(username: string, password: string): Promise<void> {
      await page.goto(`${url}/machines`);
      await page.getByRole('textbox', { name: 'User name' }).fill(username);
      await page.getByLabel(/^Password/).fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Machines', level: 1 }).waitFor({ timeout: 15_000 });
    },

    async addKey(publicKey: string): Promise<void> {
      await page.getByRole('link', { name: 'SSH keys' }).click();
      await page.getByRole('textbox', { name: 'Public key' }).fill(publicKey);
      await page.getByRole('button', { name: 'Add key' }).click();
      await page
        .getByRole('button', { name: /^Remove the key/ })
        .first()
        .waitFor({ timeout: 10_000 });
    },

    async openMachine(hostname: string): Promise<void> {
      await page.getByRole('link', { name: 'Machines', exact: true }).click();
      await page.getByRole('link', { name: hostname, exact: true }).click();
      await page.getByRole('button', { name: 'Take action' }).waitFor({ timeout: 10_000 });
    },

    /** Open an action's form from the menu, fill it in, and send it. */
    async act(action: string, fill?: (page: Page) => Promise<void>): Promise<void> {
      await page.getByRole('button', { name: 'Take action' }).click();
      await page.getByRole('menuitem', { name: action, exact: true }).click();
      const form = page.getByRole('dialog');
      await form.waitFor({ timeout: 10_000 });
      await fill?.(page);
      await form.getByRole('button', { name: action, exact: true }).click();
      await form.waitFor({ state: 'detached', timeout: 15_000 });
    },

    /** The status in the head of the open machine, without a reload. */
    async waitForStatus(status: string, limitMs: number): Promise<void> {
      await page.locator('main').getByText(status, { exact: true }).first().waitFor({ timeout: limitMs });
    },
  };
}
