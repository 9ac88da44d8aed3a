import fastify from 'fastify';
import { expect, test } from 'vitest';
import { takeMachinesInTurn } from './in-turn.ts';

test('thirty machines at once are served six at a time; whoever else asks does not wait for them', async () => {
  const app = fastify();
  takeMachinesInTurn(app);
  let inside = 0;
  let most = 0;
  const slow = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
    return { ok: true };
  };
  await app.register(async (scope) => {
    scope.post('/agent/v1/progress', slow);
    scope.get('/MAAS/metadata/:version/user-data', slow);
    scope.get('/agent/v1/task', async () => ({ waits: true }));
  });
  app.get('/api/v1/machines', async () => []);
  const crowd = Array.from({ length: 30 }, (_, at) =>
    at % 2 === 0
      ? app.inject({ method: 'POST', url: '/agent/v1/progress' })
      : app.inject({ method: at % 3 === 0 ? 'HEAD' : 'GET', url: '/MAAS/metadata/latest/user-data' }),
  );
  let crowdIsDone = false;
  const all = Promise.all(crowd).then((answers) => {
    crowdIsDone = true;
    return answers;
  });
  expect((await app.inject({ url: '/api/v1/machines' })).statusCode).toBe(200);
  expect((await app.inject({ url: '/agent/v1/task' })).json()).toEqual({ waits: true });
  expect(crowdIsDone).toBe(false);
  expect((await all).map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 30 }, () => 200));
  expect(most).toBe(6);
  await app.close();
});
