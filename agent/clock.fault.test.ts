import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rackClient } from './rack-client.ts';

let directory: string;
const servers: Server[] = [];

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ingot-clock-'));
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem');
  openssl('req', '-new', '-key', 'key.pem', '-subj', '/CN=rack', '-out', 'rack.csr');
  writeFileSync(
    join(directory, 'ca.cnf'),
    '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n',
  );
});
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

/** A rack whose certificate is of this time. */
async function rackOf(from: string, to: string): Promise<{ base: string; certificate: X509Certificate }> {
  writeFileSync(join(directory, 'index.txt'), '');
  writeFileSync(join(directory, 'serial'), '01');
  const ca = ['ca', '-batch', '-config', 'ca.cnf', '-selfsign', '-keyfile', 'key.pem', '-in', 'rack.csr'];
  openssl(...ca, '-startdate', from, '-enddate', to, '-out', 'cert.pem', '-notext');
  const cert = readFileSync(join(directory, 'cert.pem'), 'utf8');
  const server = createServer({ key: readFileSync(join(directory, 'key.pem')), cert }, (request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { base: `https://127.0.0.1:${address.port}`, certificate: new X509Certificate(cert) };
}

/**
 * @fault The clock of a booted machine is off, so that the rack's certificate seems not valid yet, or no longer.
 * @sees Nothing: the machine goes on.
 * @ends The agent trusts the certificate by the pin of its boot alone; dates are not looked at, another pin is refused.
 */
test.each([
  ['no longer valid, by a clock far ahead', '20200101000000Z', '20200102000000Z'],
  ['not valid yet, by a clock far behind', '20490101000000Z', '20490102000000Z'],
])('a certificate that is %s is trusted by its pin', async (_what, from, to) => {
  const { base, certificate } = await rackOf(from, to);
  const [begins, ends] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  expect(begins <= Date.now() && Date.now() <= ends).toBe(false);
  const lines: string[] = [];
  const pin = createHash('sha256').update(certificate.raw).digest('hex');
  const calls = rackClient(
    base,
    pin,
    () => 'secret',
    (line) => lines.push(line),
  );
  expect(await calls.task(1)).toBeNull();
  expect(lines).toEqual([]);
});
