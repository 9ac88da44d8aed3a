import path from 'node:path';
import type { Explain, MachineDetail } from '@ingot/contract/native.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { SimulatedMachine } from '@ingot/lab/sim/machine.ts';
import { SIMULATED_NETWORK } from '@ingot/lab/sim/rack.ts';
import { type SimulatedSite, startSimulatedSite } from '@ingot/lab/sim/site.ts';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operator, startBrowser } from '../../web/testing/browser.ts';
import { checkout, ensureBuilt } from '../sim/built.ts';
import { violations } from './accessibility.ts';
import { type PageWatch, watchPage } from './page-watch.ts';

// The console in a real browser against a real region; only the machines are simulated. Each test stands on the one
// before it: one person's day with one machine. With INGOT_SCREENSHOTS=DIR it leaves pictures there.
const shots = process.env.INGOT_SCREENSHOTS;
const PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPe1vH8OpGHOZJUMuoxaMzPxXv3qgmCQcYVJmOTZgG0a ada@home';
const USER_DATA = '#cloud-config\nfinal_message: from the browser\n';

let site: SimulatedSite;
let browser: Browser;
let page: Page;
let watch: PageWatch;
let person: ReturnType<typeof operator>;
let first: MachineDetail;

beforeAll(async () => {
  await ensureBuilt('region', 'web');
  [site, browser] = await Promise.all([
    startSimulatedSite({ checkout, machines: 3, seed: 7, pace: [5, 40] }),
    startBrowser(),
  ]);
  page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
  });
  page.setDefaultTimeout(10_000);
  watch = watchPage(page, site.url);
  person = operator(page, site.url);
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await site?.stop();
});

// What comes after a step that failed would only fail for the same reason, slowly.
let broken = false;
beforeEach(({ skip, onTestFailed }) => {
  if (broken) skip('an earlier step failed');
  onTestFailed(async () => {
    broken = true;
    if (shots) await page.screenshot({ path: path.join(shots, 'ui-broken.png') });
  });
});
afterEach(() => {
  expect(watch?.problems()).toEqual([]);
});

async function shot(name: string): Promise<void> {
  if (!shots) return;
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.waitForTimeout(150);
    await page.screenshot({ path: path.join(shots, `ui-${name}-${colorScheme}.png`) });
  }
}

async function enlist(machine: SimulatedMachine): Promise<MachineDetail> {
  await machine.press('on');
  return waitFor('the machine to enlist', 20_000, () => site.find(machine), 50);
}

function machineAt(index: number): SimulatedMachine {
  const machine = site.machines[index];
  if (!machine) throw new Error(`the site has no machine ${index}`);
  return machine;
}

const tab = (name: string) => page.getByRole('tab', { name, exact: true }).click();

describe('signing in', () => {
  test('a wrong password is refused in words', async () => {
    await page.goto(`${site.url}/machines?q=status%3Anew`);
    await page.getByRole('textbox', { name: 'User name' }).waitFor();
    await shot('login');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('textbox', { name: 'User name' }).fill(site.admin.username);
    await page.getByLabel(/^Password/).fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText()).toMatch(/password/i);
    await shot('login-refused');
    expect(await violations(page)).toEqual([]);
  });

  test('the right one leads to where one wanted to go', async () => {
    await page.getByLabel(/^Password/).fill(site.admin.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Machines', level: 1 }).waitFor();
    const at = new URL(page.url());
    expect([at.pathname, at.searchParams.get('q')]).toEqual(['/machines', 'status:new']);
  });
});

describe('the list', () => {
  test('is empty with a word of how machines come, and shows one that enlists without a reload', async () => {
    await page.getByRole('textbox', { name: 'Filter' }).fill('');
    await page.getByText('No machines yet').waitFor();
    await shot('empty');
    expect(await violations(page)).toEqual([]);
    await page.evaluate("window.loadedOnce = 'yes'");
    first = await enlist(machineAt(0));
    const row = page.getByRole('row').filter({ hasText: first.hostname });
    await row.waitFor();
    expect(await row.innerText()).toContain('New');
    expect(await page.evaluate('window.loadedOnce')).toBe('yes');
  });

  test('is filtered by words and by terms; a term that is none says so', async () => {
    for (const machine of [machineAt(1), machineAt(2)]) await enlist(machine);
    const links = page.getByRole('table').getByRole('link');
    await expect.poll(() => links.count(), { timeout: 10_000 }).toBe(3);
    await shot('list');
    expect(await violations(page)).toEqual([]);
    const filter = page.getByRole('textbox', { name: 'Filter' });
    await filter.fill(first.hostname);
    await expect.poll(() => links.allInnerTexts()).toEqual([first.hostname]);
    await filter.fill(
      `mem:>=${machineAt(0).hardware.memoryMib} cpu:<=${machineAt(0).hardware.cores} ${first.hostname}`,
    );
    await expect.poll(() => links.allInnerTexts()).toEqual([first.hostname]);
    await filter.fill('status:deployed');
    await page.getByText('No machine matches this filter.').waitFor();
    await filter.fill('colour:red');
    await expect.poll(() => filter.getAttribute('aria-invalid')).toBe('true');
    await filter.fill('');
    await expect.poll(() => links.count()).toBe(3);
  });

  test('sorts by a column, and the address keeps it', async () => {
    await page.getByRole('button', { name: 'Memory' }).click();
    const names = await page.getByRole('table').getByRole('link').allInnerTexts();
    const machines = await site.api.machines();
    const memory = names.map((name) => machines.find(({ hostname }) => hostname === name)?.memory ?? 0);
    expect(memory).toEqual([...memory].sort((a, b) => a - b));
    expect(new URL(page.url()).searchParams.get('sort')).toBe('memory');
  });
});

describe('a machine', () => {
  test('is commissioned under one’s eyes', async () => {
    machineAt(0).pace = [150, 350];
    await person.openMachine(first.hostname);
    await shot('machine-new');
    await page.getByRole('button', { name: 'Take action' }).click();
    await page.getByRole('menuitem', { name: 'Commission', exact: true }).waitFor();
    await shot('menu');
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await person.act('Commission', async () => {
      await shot('commission-form');
      expect(await violations(page)).toEqual([]);
    });
    await tab('Timeline');
    await page.getByRole('heading', { name: 'Commissioning', level: 2 }).waitFor();
    // It goes on while one looks: the row of a script comes by itself, and it is not over yet.
    await page.getByRole('button', { name: /20-maas-02-dhcp-unconfigured-ifaces/ }).waitFor({ timeout: 20_000 });
    expect(await page.getByText('Running', { exact: true }).count()).toBe(1);
    await shot('timeline-live');
    machineAt(0).pace = [5, 40];
    await person.waitForStatus('Ready', 30_000);
    const seen = page.getByRole('button', { name: /maas-capture-lldpd/ });
    await seen.click();
    await page.getByRole('region', { name: 'Evidence of maas-capture-lldpd' }).waitFor();
    await shot('timeline');
    expect(await violations(page)).toEqual([]);
  });

  test('shows what it is', async () => {
    await tab('Summary');
    const { hardware } = machineAt(0);
    for (const fact of [hardware.serial, hardware.macs[0], `serial ${hardware.disk.serial}`]) {
      await page.getByText(fact, { exact: false }).first().waitFor();
    }
    await shot('summary');
    expect(await violations(page)).toEqual([]);
  });

  test('shows what its scripts printed', async () => {
    await tab('Results');
    await page.getByRole('button', { name: /^Output of maas-capture-lldpd/ }).click();
    const output = page.getByRole('region', { name: 'Output of maas-capture-lldpd' });
    await output.waitFor();
    expect(await output.innerText()).toContain(`maas-capture-lldpd on ${machineAt(0).hardware.serial}`);
    await shot('results');
    expect(await violations(page)).toEqual([]);
  });

  test('is deployed with the user-data that was typed', async () => {
    await person.act('Deploy', async () => {
      await page.getByLabel('User-data').fill(USER_DATA);
      await shot('deploy-form');
      expect(await violations(page)).toEqual([]);
    });
    await person.waitForStatus('Deployed', 30_000);
    await expect.poll(() => machineAt(0).firstBoot()?.userData, { timeout: 10_000 }).toBe(USER_DATA);
    await tab('Events');
    await page.getByRole('cell', { name: 'DEPLOYED', exact: true }).first().waitFor();
    await shot('events');
    expect(await violations(page)).toEqual([]);
  });

  test('that is locked says for each action why it cannot be done, in the words of the API', async () => {
    await person.act('Lock');
    await page.locator('main').getByText('Locked', { exact: true }).first().waitFor();
    await shot('locked');
    const answers = await site.api.explain(first.systemId);
    const refused = answers.filter(({ allowed }) => !allowed);
    expect(refused.map(({ action }) => action)).toContain('release');
    await page.getByRole('button', { name: 'Take action' }).click();
    const menu = page.getByRole('menu');
    await menu.waitFor();
    await expect.poll(() => unexplained(refused), { timeout: 10_000 }).toEqual([]);
    await shot('menu-locked');
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'detached' });
    // The form of one that is not possible, reached by its address, names every reason.
    await page.goto(`${site.url}/machines/${first.systemId}/do/deploy`);
    const form = page.getByRole('dialog');
    await form.getByText('Not possible now').waitFor();
    const said = (await form.innerText()).replace(/\s+/g, ' ');
    for (const { message, fix } of refused.find(({ action }) => action === 'deploy')?.reasons ?? []) {
      expect(said).toContain(`${message} ${fix}`);
    }
    expect(await form.getByRole('button', { name: 'Deploy', exact: true }).isDisabled()).toBe(true);
    await shot('form-locked');
    expect(await violations(page)).toEqual([]);
    await form.getByRole('button', { name: 'Cancel' }).click();
    await person.act('Unlock');
  });

  /** Actions that are not offered together with the reason that the API names first: the one to see to first. */
  async function unexplained(refused: Explain[]): Promise<string[]> {
    const items = page.getByRole('menuitem');
    const texts = (await items.allInnerTexts()).map((text) => text.replace(/\s+/g, ' '));
    const missing: string[] = [];
    for (const { action, reasons } of refused.filter((one) => one.action !== 'accept')) {
      const text = reasons
        .slice(0, 1)
        .map(({ message, fix }) => `${message} ${fix}`)
        .join(' ');
      if (!texts.some((shown) => shown.endsWith(text))) missing.push(`${action}: ${text}`);
    }
    const disabled = await items.and(page.locator('[aria-disabled=true]')).count();
    if (disabled < refused.length - 1) missing.push(`only ${disabled} are disabled`);
    return missing;
  }

  test('that changed meanwhile is refused with the reason and the way out', async () => {
    // What the browser knows is older than what has happened.
    const known = await site.api.explain(first.systemId);
    await page.route('**/explain', (route) => route.fulfill({ json: known }));
    await page.getByRole('button', { name: 'Take action' }).click();
    await page.getByRole('menuitem', { name: 'Release', exact: true }).click();
    const form = page.getByRole('dialog');
    await form.waitFor();
    await site.api.act(first.systemId, 'lock');
    await form.getByRole('button', { name: 'Release', exact: true }).click();
    const alert = form.getByRole('alert');
    await alert.waitFor();
    await shot('refused');
    const [reason] = (await site.api.explain(first.systemId)).find(({ action }) => action === 'release')?.reasons ?? [];
    const text = await alert.innerText();
    for (const word of [reason?.message, reason?.fix, reason?.code]) expect(text).toContain(word ?? 'no reason given');
    expect(await violations(page)).toEqual([]);
    await form.getByRole('button', { name: 'Cancel' }).click();
    await form.waitFor({ state: 'detached' });
    await page.unroute('**/explain');
    await site.api.act(first.systemId, 'unlock');
    await page.locator('main').getByText('Locked', { exact: true }).waitFor({ state: 'detached' });
  });

  test('comes back erased', async () => {
    await person.act('Release', async () => {
      await page.getByLabel('Erase the disks').check();
      await shot('release-form');
    });
    await person.waitForStatus('Ready', 30_000);
    expect(machineAt(0).disk()).toBeNull();
  });

  test('that fails says what was seen last and what to do', async () => {
    machineAt(0).faults = { failScript: 'maas-capture-lldpd' };
    await person.act('Commission');
    await person.waitForStatus('Failed commissioning', 30_000);
    const { attempt } = await site.api.machine(first.systemId);
    const failure = attempt?.failure;
    await page
      .getByText(failure?.message ?? 'no failure')
      .first()
      .waitFor();
    await page
      .getByText(failure?.fix ?? 'no fix')
      .first()
      .waitFor();
    await tab('Timeline');
    await shot('failed');
    expect(await violations(page)).toEqual([]);
    machineAt(0).faults = {};
  });
});

describe('power settings', () => {
  test('are asked for as the power type says; what is wrong stands beside its field; no secret is shown', async () => {
    await tab('Summary');
    await page.getByRole('link', { name: 'Power settings' }).click();
    const form = page.getByRole('dialog', { name: 'Power settings' });
    await form.waitFor();
    await form.getByRole('combobox', { name: 'Power type' }).click();
    await page.getByRole('option', { name: 'IPMI', exact: true }).click();
    const address = form.getByRole('textbox', { name: 'IP address' });
    await address.fill('');
    await form.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => address.getAttribute('aria-invalid')).toBe('true');
    await form.getByText(/needs it \(IP address\)/).waitFor();
    await shot('power-refused');
    expect(await violations(page)).toEqual([]);
    await address.fill('127.0.0.77');
    await form.getByRole('textbox', { name: 'Power password' }).fill('not-to-be-seen');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await expect.poll(async () => (await site.api.machine(first.systemId)).powerType).toBe('ipmi');
    // Anew, from the region: the address is there, the password is not.
    await page.reload();
    await page.getByRole('link', { name: 'Power settings' }).click();
    await expect.poll(() => address.inputValue()).toBe('127.0.0.77');
    expect(await form.getByRole('textbox', { name: 'Power password' }).inputValue()).toBe('');
    expect(await page.content()).not.toContain('not-to-be-seen');
    await shot('power-form');
    await form.getByRole('button', { name: 'Cancel' }).click();
    await form.waitFor({ state: 'detached' });
  });
});

describe('networks', () => {
  test('show who gives addresses, and let an administrator choose', async () => {
    await page.getByRole('link', { name: 'Networks', exact: true }).click();
    const { cidr, range } = SIMULATED_NETWORK;
    const network = page.getByRole('region', { name: cidr });
    await network.getByText('DHCP: Ingot gives the addresses').waitFor();
    await network.getByText(`dynamic ${range.start}–${range.end}`, { exact: false }).waitFor();
    await shot('networks');
    expect(await violations(page)).toEqual([]);
    await network.getByRole('link', { name: `Change DHCP of ${cidr}` }).click();
    const form = page.getByRole('dialog');
    const last = form.getByRole('textbox', { name: 'Last dynamic address' });
    await last.fill('10.255.255.255');
    await form.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => last.getAttribute('aria-invalid')).toBe('true');
    await shot('dhcp-refused');
    expect(await violations(page)).toEqual([]);
    await form.getByRole('radio', { name: 'Proxy' }).check();
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    await network.getByText(/Another server gives the addresses/).waitFor();
  });

  test('warn of what is wrong there, with the way out', async () => {
    const warning = { code: 'network.foreign_dhcp', message: 'Another DHCP server answers.', fix: 'Switch it off.' };
    await page.route('**/network/subnets', async (route) => {
      const answer = await route.fetch();
      const subnets: object[] = await answer.json();
      await route.fulfill({ json: subnets.map((subnet) => ({ ...subnet, warnings: [warning] })) });
    });
    await page.reload();
    for (const words of Object.values(warning)) await page.getByText(words).first().waitFor();
    await shot('networks-warning');
    expect(await violations(page)).toEqual([]);
    await page.unroute('**/network/subnets');
  });
});

describe('SSH keys', () => {
  test('are added, refused when they are none, and removed', async () => {
    await person.addKey(PUBLIC_KEY);
    await page.getByText('ada@home').waitFor();
    await page.getByRole('textbox', { name: 'Public key' }).fill('ssh-ed25519 nonsense');
    await page.getByRole('button', { name: 'Add key' }).click();
    await page.getByRole('alert').waitFor();
    await shot('keys');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Remove the key ada@home' }).click();
    await page.getByText('You have no key yet.', { exact: false }).waitFor();
  });
});

describe('a region that goes away', () => {
  test('is told by the mark, and when it is back the list is right', async () => {
    await page.getByRole('link', { name: 'Machines', exact: true }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await site.region.kill();
    await page.getByText(/^(Catching up|Offline) since/).waitFor();
    await shot('away');
    expect(await violations(page)).toEqual([]);
    await site.region.start();
    await site.api.act(first.systemId, 'mark-broken', { comment: 'while nobody looked' });
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 });
    const row = page.getByRole('row').filter({ hasText: first.hostname });
    await row.filter({ hasText: 'Broken' }).waitFor();
    // The browser reports the connection that it lost.
    watch.forget();
  });
});

describe('a narrow screen', () => {
  const pages = [
    '/machines',
    '/networks',
    '/keys',
    ...['summary', 'timeline', 'results', 'events'].map((name) => `?tab=${name}`),
  ];

  test('needs no sideways scrolling', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    for (const one of pages) {
      const target = one.startsWith('?') ? `/machines/${first.systemId}${one}` : one;
      await page.goto(site.url + target);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByText('Loading', { exact: false }).first().waitFor({ state: 'detached' });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect([target, width]).toEqual([target, 390]);
      await shot(`narrow-${one.replace(/\W+/g, '')}`);
    }
    await page.goto(`${site.url}/machines/${first.systemId}/do/deploy`);
    await page.getByRole('dialog').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await shot('narrow-form');
  });

  test('leads about by its menu button', async () => {
    await page.goto(`${site.url}/machines`);
    await page.getByRole('button', { name: 'Navigation' }).click();
    await page.getByRole('link', { name: 'SSH keys' }).click();
    await page.getByRole('heading', { name: 'SSH keys', level: 1 }).waitFor();
    expect(await violations(page)).toEqual([]);
  });
});

test('who signs out is out', async () => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Ingot' }).waitFor();
  await page.goto(`${site.url}/keys`);
  await page.getByRole('heading', { name: 'Sign in to Ingot' }).waitFor();
});
