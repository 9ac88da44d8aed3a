import { afterEach, expect, test, vi } from 'vitest';
import { fieldProblem, getText, Refused } from './client.ts';

afterEach(() => vi.unstubAllGlobals());

test('a region that does not answer is told as such, with why', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('connection refused')));
  await expect(getText('/machines')).rejects.toMatchObject({
    status: 0,
    problem: { code: 'web.offline', message: expect.stringContaining('connection refused') },
  });
});

test('an answer that is not of the region, a proxy’s page say, is shown as it came', async () => {
  vi.stubGlobal('fetch', async () => new Response('<h1>Bad Gateway</h1>', { status: 502 }));
  await expect(getText('/machines')).rejects.toMatchObject({
    status: 502,
    problem: { code: 'web.bad_answer', message: '<h1>Bad Gateway</h1>' },
  });
});

test('a refusal keeps the code that the region gave it', async () => {
  const refused = { code: 'locked', message: 'calm-fox is locked.', field: null, fix: 'Unlock it first.' };
  vi.stubGlobal('fetch', async () => Response.json(refused, { status: 403 }));
  await expect(getText('/machines')).rejects.toMatchObject({ status: 403, problem: refused });
});

test('what is wrong with a field is said without its name in the API; another field’s problem is none of it', () => {
  const problem = {
    code: 'input.invalid',
    message: 'powerParameters.power_address: power type ipmi needs it (IP address).',
    field: 'powerParameters.power_address',
    fix: 'GET /api/v1/power-types lists types and fields.',
  };
  const refused = new Refused(problem, 400);
  expect(fieldProblem(refused, 'powerParameters.power_address')).toBe('power type ipmi needs it (IP address).');
  expect(fieldProblem(refused, 'powerParameters.power_user')).toBeNull();
  const other = new Refused({ ...problem, message: 'Taken.', fix: 'Choose another.' }, 400);
  expect(fieldProblem(other, problem.field)).toBe('Taken. Choose another.');
});
