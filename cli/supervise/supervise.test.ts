import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliFailure } from '../failure.ts';
import { backOff } from './back-off.ts';
import { supervise } from './child.ts';
import { holderOf, lockFileOf, lockState } from './lock.ts';
import { logFile } from './log-file.ts';
import { lastWords, rackArguments, regionArguments } from './up.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'ingot-up-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('a second instance is refused and told which process holds the directory', () => {
  const lock = lockState(dir);
  expect(holderOf(dir)).toBe(process.pid);
  expect(() => lockState(dir)).toThrow(new RegExp(`process ${process.pid} already runs`));
  expect(() => lockState(dir)).toThrow(CliFailure);
  lock.release();
  expect(holderOf(dir)).toBeNull();
});

it('the lock of a dead process is taken over, also when its pid is used again', () => {
  const lock = lockState(dir);
  for (const text of ['999999999 5\n', `${process.pid} 5\n`, 'garbage']) {
    writeFileSync(lockFileOf(dir), text);
    expect(holderOf(dir)).toBeNull();
    lockState(dir);
    expect(holderOf(dir)).toBe(process.pid);
  }
  lock.release();
});

it('a log is rotated at its limit and a set number of files is kept', () => {
  const file = path.join(dir, 'log', 'x.log');
  const log = logFile(file, { bytes: 10, kept: 3 });
  for (const letter of 'abcd') {
    writeSync(log.fd, letter.repeat(12));
    expect(log.tail(3)).toBe(letter.repeat(3));
    log.rotate();
  }
  writeSync(log.fd, 'end');
  log.rotate();
  log.close();
  expect(readFileSync(file, 'utf8')).toBe('end');
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('d'.repeat(12));
  expect(readFileSync(`${file}.2`, 'utf8')).toBe('c'.repeat(12));
  expect(existsSync(`${file}.3`)).toBe(false);
});

it('restarts slow down, and are quick again after a good run', () => {
  const wait = backOff();
  expect([0, 0, 0].map(() => wait.ended(100))).toEqual([200, 400, 800]);
  for (let n = 0; n < 20; n += 1) wait.ended(100);
  expect(wait.ended(100)).toBe(30_000);
  expect(wait.ended(61_000)).toBe(200);
});

it('a child that ends is started again, its last words are told, and stop ends it for good', async () => {
  const counter = path.join(dir, 'count');
  const script = `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(counter)}, 'x');
    if (fs.readFileSync(${JSON.stringify(counter)}, 'utf8').length < 3) { console.error('no luck'); process.exit(3); }
    setInterval(() => {}, 1000);`;
  const ends: string[] = [];
  const log = logFile(path.join(dir, 'child.log'));
  const onEnd = ({ how, tail }: { how: string; tail: string }) => ends.push(`${how}: ${lastWords(tail)}`);
  const child = supervise({ name: 'child', argv: [process.execPath, '-e', script], log, onEnd });
  const deadline = Date.now() + 15_000;
  while (!(existsSync(counter) && readFileSync(counter, 'utf8').length === 3)) {
    if (Date.now() > deadline) throw new Error(`not started three times: ${ends}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(ends).toEqual(['exit 3: no luck', 'exit 3: no luck']);
  const pid = child.pid();
  await child.stop();
  expect(child.pid()).toBeNull();
  expect(() => process.kill(pid ?? 0, 0)).toThrow();
  expect(ends).toHaveLength(2);
});

it('last words are complaints, not the chatter of a log', () => {
  expect(lastWords('{"level":30,"msg":"region serves"}\n')).toBe('');
  expect(lastWords('{"level":50,"msg":"port taken"}\n')).toBe('port taken');
  expect(lastWords('{"level":30,"msg":"x"}\nregion: port 5240 is taken\n')).toBe('region: port 5240 is taken');
});

it("the rack gets its socket, its addresses and the region's blobs", () => {
  const options = { listen: '', rack: true, rackAddress: ['10.0.0.1'], rackInterface: ['br0', 'br1'] };
  expect(rackArguments('/s', options).join(' ')).toBe(
    '--state /s --region unix:/s/run/rack.sock --address 10.0.0.1 --blobs /s/blobs --interface br0 --interface br1',
  );
});

it('the region gets its listeners and its database', () => {
  const options = {
    listen: '127.0.0.1:5240',
    rack: true,
    rackListen: '0.0.0.0:5250',
    rackName: ['a', 'b'],
    database: 'd',
  };
  expect(regionArguments('/s', options).join(' ')).toBe(
    '--state /s --listen 127.0.0.1:5240 --database d --rack-listen 0.0.0.0:5250 --rack-name a --rack-name b',
  );
  expect(regionArguments('/s', { listen: 'l', rack: true }).join(' ')).toBe('--state /s --listen l');
});
