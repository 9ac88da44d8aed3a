/** The rack's HTTP server over a warm cache: `serve-program.mjs DIR`, images in DIR/cache; prints its port on 127.0.0.1. */
import { listen } from '@ingot/rack/httpboot/listen.ts';
import { bootListener } from '@ingot/rack/httpboot/routes.ts';
import { openBootPlane } from '../harness/boot-plane.ts';

const plane = await openBootPlane(process.argv[2] ?? '', new Map());
const { port } = await listen(bootListener(plane), '127.0.0.1', 0);
console.log(port);
