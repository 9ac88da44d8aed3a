import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rackClient } from './rack-client.ts';

let directory: string;
let server: Server;
let base: string;
let pin: string;

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ingot-clock-'));
  // By this host's clock its time is over: what a machine sees whose clock is far ahead.
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem');
  openssl('req', '-new', '-key', 'key.pem', '-subj', '/CN=rack', '-out', 'rack.csr');
  writeFileSync(join(directory, 'index.txt'), '');
  writeFileSync(
    join(directory, 'ca.cnf'),
    '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n',
  );
  writeFileSync(join(directory, 'serial'), '01');
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
  const ca = ['ca', '-batch', '-config', 'ca.cnf', '-selfsign', '-keyfile', 'key.pem', '-in', 'rack.csr'];
  openssl(...ca, ...dates, '-out', 'cert.pem', '-notext');
  const cert = readFileSync(join(directory, 'cert.pem'), 'utf8');
  pin = createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
  server = createServer({ key: readFileSync(join(directory, 'key.pem')), cert }, (request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  base = `https://127.0.0.1:${address.port}`;
});
afterAll(() => {
  server?.closeAllConnections();
  server?.close();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * @fault The clock of a booted machine is off, so that the rack's certificate seems not valid yet, or no longer.
 * @sees Nothing: the machine goes on.
 * @ends The agent trusts the certificate by the pin of its boot alone; dates are not looked at, another pin is refused.
 */
test('a certificate out of its dates is trusted by its pin', async () => {
  expect(Date.parse(new X509Certificate(readFileSync(join(directory, 'cert.pem'))).validTo)).toBeLessThan(Date.now());
  const lines: string[] = [];
  const calls = rackClient(
    base,
    pin,
    () => 'secret',
    (line) => lines.push(line),
  );
  expect(await calls.task(1)).toBeNull();
  expect(lines).toEqual([]);
});
