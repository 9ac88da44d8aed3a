import { type ReadReport, startTftpServer, type TftpServer } from '@ingot/protocols/tftp/server.ts';
import type { BootPlane } from '../httpboot/boot-plane.ts';
import { largestBlock } from './largest-block.ts';
import { openName } from './open-name.ts';

/** Boot programs, and what the signed GRUB needs, by TFTP; each read is evidence. */
export async function serveTftp(plane: BootPlane, address: string): Promise<TftpServer> {
  return await startTftpServer({
    address,
    port: plane.ports.tftp,
    largestBlock: await largestBlock(address),
    open: async (name, remote) => await openName(plane, address, name, remote),
    onDone: (report) => void note(plane, report),
  });
}

async function note(plane: BootPlane, report: ReadReport): Promise<void> {
  const mac = (await plane.macOf(report.remote.address).catch(() => null)) ?? '';
  const machine = mac === '' ? null : plane.snapshot.machineOf(mac);
  const why = report.outcome === 'sent' ? '' : ` (${report.message})`;
  plane.evidence.add({
    kind: 'tftp.read',
    mac,
    address: report.remote.address,
    systemId: machine?.systemId ?? null,
    attempt: machine?.attempt ?? null,
    text: `TFTP ${report.name.slice(0, 200)} ${report.outcome}, ${report.bytes} bytes, ${report.milliseconds.toFixed(1)} ms${why}`,
    data: { name: report.name.slice(0, 200), outcome: report.outcome, bytes: report.bytes },
  });
}
