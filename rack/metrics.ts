import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface MetricSources {
  evidenceWaiting(): number;
  evidenceDropped(): number;
  powerRunning(): number;
  cacheBytes(): number;
  foreignDhcpServers(): number;
  dhcpRefused(): number;
  connected(): boolean;
}

/** Prometheus text on a unix socket (mode of its directory: 0700), so that no machine on a boot network reads it. */
export async function serveMetrics(
  socketPath: string,
  log: Logger,
  sources: MetricSources,
): Promise<{ close(): Promise<void> }> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'ingot_rack_' });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `ingot_rack_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge('evidence_waiting', 'Evidence not yet sent to the region', sources.evidenceWaiting);
  gauge(
    'evidence_dropped',
    'Evidence lost because the region was away too long, since the start',
    sources.evidenceDropped,
  );
  gauge('power_running', 'Power work being done now', sources.powerRunning);
  gauge('image_cache_bytes', 'Bytes in the image cache', sources.cacheBytes);
  gauge('foreign_dhcp_servers', 'DHCP servers on served networks that are none of ours', sources.foreignDhcpServers);
  gauge('dhcp_refused', 'Requests for which no dynamic address was left, since the start', sources.dhcpRefused);
  gauge('region_connected', '1 while the link to the region stands', () => (sources.connected() ? 1 : 0));
  const server = createServer((_request, response) => {
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve) => {
    // Measuring is not worth failing for: a state directory may be too deep for a socket's path.
    server.once('error', (error) => {
      log.warn({ err: error.message, socketPath }, 'no metrics');
      resolve();
    });
    server.listen(socketPath, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
