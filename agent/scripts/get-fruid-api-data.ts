import { readdir } from 'node:fs/promises';
import { get } from 'node:http';
import { type Builtin, passed, skipped } from './builtin.ts';

/** The BMC of Facebook's Wedge switches answers on its USB network link. */
const FRUID_URL = 'http://[fe80::1%25usb0]:8080/api/sys/mb/fruid';

/** maas-get-fruid-api-data: only such switches have the interface usb0. */
export const getFruidApiData: Builtin = async () => {
  const names = await readdir('/sys/class/net').catch((): string[] => []);
  if (!names.includes('usb0')) return skipped('This machine has no FRUID API.\n');
  return new Promise((resolve) => {
    const quiet = (error: Error) => resolve(skipped(`No FRUID API: ${error.message}\n`));
    const call = get(FRUID_URL, { timeout: 5000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > 65_536) call.destroy(new Error('answer is too long'));
      });
      answer.on('end', () => resolve(passed(text)));
    });
    call.on('timeout', () => call.destroy(new Error('no answer in 5 s')));
    call.on('error', quiet);
  });
};
