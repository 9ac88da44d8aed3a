/** Our server in a process of its own: `serve-program.mjs DIR FILE…`; prints its port on 127.0.0.1. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { serveTftp } from '@ingot/rack/tftp/serve-tftp.ts';
import { openBootPlane } from '../harness/boot-plane.ts';

const [dir = '', ...names] = process.argv.slice(2);
const files = new Map<string, Buffer>();
for (const name of names) files.set(path.basename(name), await readFile(name));
const server = await serveTftp(await openBootPlane(dir, files), '127.0.0.1');
console.log(server.port);
