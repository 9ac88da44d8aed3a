/** The hall's BMCs in a process of their own, the same for all sides: `bmc-program.mjs JSON`, see `Hall`. */
import { startBmcServer } from '@ingot/protocols/ipmi/server.ts';
import { addressOf, type Hall, isDead, isOn, USER } from './order.ts';

// The bench started this program with what it made of a Hall.
const hall = JSON.parse(process.argv[2] ?? '') as Hall;
for (let index = 0; index < hall.count; index++) {
  const silent = isDead(hall, index);
  await startBmcServer({
    address: addressOf(hall, index),
    port: hall.port,
    users: [USER],
    faults: () => ({ silent }),
    chassis: { status: () => ({ on: isOn(index) }), control: () => undefined, setBoot: () => undefined },
  });
}
console.log('listening');
