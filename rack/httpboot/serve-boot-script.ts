import { answerBoot, type BootAsker } from '../boot/answer-boot.ts';
import { ephemeralScript, LOCAL_SCRIPT, POWEROFF_SCRIPT, waitScript } from '../boot/ipxe-script.ts';
import type { BootPlane } from './boot-plane.ts';

/** The iPXE script for one machine. */
export function bootScriptFor(plane: BootPlane, asker: BootAsker, now: number): string {
  const answer = answerBoot(plane, asker, now);
  switch (answer.kind) {
    case 'wait':
      return waitScript(`http://${asker.host}:${plane.ports.http}`, answer.why);
    case 'local':
      return LOCAL_SCRIPT;
    case 'poweroff':
      return POWEROFF_SCRIPT;
    case 'ephemeral':
      return ephemeralScript(answer.boot);
  }
}
