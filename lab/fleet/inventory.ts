import type { Inventory } from '@ingot/contract/agent.ts';
import { type FleetHardware, threadsOf } from './hardware.ts';

/** What the inventory's tools print in such a machine at `address` in a network of this prefix length. */
export function fleetInventory(hardware: FleetHardware, address: string, prefix: number): Inventory {
  const { ports, disks, model, processor } = hardware;
  return {
    firmware: hardware.firmware,
    lshwXml: lshw(hardware),
    lsblk: JSON.stringify({
      blockdevices: disks.map(({ name, kind, bytes, serial, model: label }) => ({
        name,
        kname: name,
        type: 'disk',
        size: bytes,
        ro: false,
        rm: false,
        rota: kind === 'hdd',
        tran: kind === 'nvme' ? 'nvme' : 'sata',
        serial,
        model: label,
        rev: '1.0',
        'log-sec': 512,
      })),
    }),
    ipAddress: JSON.stringify(
      ports.map(({ name, mac }, at) => ({
        ifname: name,
        link_type: 'ether',
        address: mac,
        mtu: 1500,
        addr_info: at === 0 ? [{ family: 'inet', local: address, prefixlen: prefix, scope: 'global' }] : [],
      })),
    ),
    dmi: {
      'system-manufacturer': model.vendor,
      'system-product-name': model.product,
      'system-family': model.family,
      'system-serial-number': hardware.serial,
      'system-uuid': hardware.uuid,
      'baseboard-manufacturer': model.vendor,
      'baseboard-product-name': model.product,
      'baseboard-serial-number': `.${hardware.serial}.`,
      'bios-vendor': model.vendor,
      'bios-version': model.bios,
      'bios-release-date': '01/15/2026',
      'chassis-manufacturer': model.vendor,
      'chassis-serial-number': hardware.serial,
      'chassis-type': 'Rack Mount Chassis',
    },
    cpuinfo: Array.from(
      { length: threadsOf(hardware) },
      (_, thread) => `processor\t: ${thread}\nmodel name\t: ${processor.name}\ncpu MHz\t\t: ${processor.mhz}.000\n`,
    ).join('\n'),
    // What kernel and firmware keep is missing here, as on a real machine; lshw counts the modules.
    meminfo: `MemTotal:       ${Math.floor(hardware.memoryMib * 1024 * 0.985)} kB\n`,
    lspci: '',
    ethernet: ports.map(({ name, mac, driver, vendor, product, linked, mbps }) => ({
      name,
      mac,
      driver,
      vendor,
      product,
      firmware: '1.0',
      linkDetected: linked,
      speedMbps: linked ? mbps : 0,
      maxSpeedMbps: mbps,
    })),
    lldp: lldp(hardware),
    modaliases: [],
    cmdline: `quiet BOOTIF=01-${ports[0].mac.replaceAll(':', '-')}`,
    diskLinks: Object.fromEntries(
      disks.map(({ name, kind, model: label, serial }) => [
        name,
        `${kind === 'nvme' ? 'nvme' : 'ata'}-${label.replaceAll(' ', '_')}_${serial}`,
      ]),
    ),
  };
}

/** What the built-in scripts print whose output is read by somebody. */
export function fleetScriptOutput(hardware: FleetHardware, name: string): string | null {
  return name === 'maas-capture-lldpd' ? lldp(hardware) : null;
}

function lshw({ model, memoryMib, serial, processor, sockets }: FleetHardware): string {
  const packages = Array.from(
    { length: sockets },
    (_, at) =>
      `<node id="cpu:${at}" class="processor" handle="DMI:000${at}"><product>${processor.name}</product><slot>CPU${at + 1}</slot></node>`,
  );
  return `<?xml version="1.0" standalone="yes" ?>
<list><node id="server" claimed="true" class="system" handle="DMI:0100"><product>${model.product}</product>
<vendor>${model.vendor}</vendor><serial>${serial}</serial><node id="core" claimed="true" class="bus">
<node id="memory" claimed="true" class="memory"><size units="bytes">${memoryMib * 2 ** 20}</size></node>
${packages.join('\n')}
</node></node></list>
`;
}

function lldp({ ports, neighbour }: FleetHardware): string {
  const { chassis, name, description, port, vlan } = neighbour;
  return `<?xml version="1.0" encoding="UTF-8"?>
<lldp label="LLDP neighbors"><interface label="Interface" name="${ports[0].name}" via="LLDP">
<chassis label="Chassis"><id label="ChassisID" type="mac">${chassis}</id><name label="SysName">${name}</name>
<descr label="SysDescr">${description}</descr></chassis>
<port label="Port"><id label="PortID" type="ifname">${port}</id></port>
<vlan label="VLAN" vlan-id="${vlan}" pvid="yes"/></interface></lldp>
`;
}
