import type { HardwareFacts } from './facts.ts';

const MIB = 1024 * 1024;

/**
 * The resources document that readers of `50-maas-01-commissioning` and `20-maas-03-machine-resources` know, as far as the
 * facts reach. `kernelArchitecture` is `uname -m`.
 */
export function resourcesDocument(facts: HardwareFacts, kernelArchitecture: string, kernelVersion: string): object {
  const memory = facts.memoryMib * MIB;
  const info = facts.hardwareInfo;
  return {
    api_extensions: ['resources', 'resources_v2', 'api_os', 'resources_system', 'resources_usb_pci'],
    api_version: '1.0',
    environment: {
      kernel: 'Linux',
      kernel_architecture: kernelArchitecture,
      kernel_version: kernelVersion,
      os_name: 'debian',
      os_version: '',
      server: 'ingot-agent',
      server_name: 'ingot',
    },
    resources: {
      cpu: processors(facts, kernelArchitecture),
      memory: { nodes: [{ numa_node: 0, total: memory, used: 0 }], total: memory, used: 0 },
      gpu: { cards: [], total: 0 },
      network: networkCards(facts),
      storage: disks(facts),
      usb: { devices: [], total: 0 },
      pci: { devices: [], total: 0 },
      system: {
        uuid: facts.hardwareUuid ?? '',
        vendor: known(info.system_vendor),
        product: known(info.system_product),
        family: known(info.system_family),
        version: known(info.system_version),
        sku: known(info.system_sku),
        serial: known(info.system_serial),
        type: facts.virtual ? 'virtual-machine' : 'physical',
        firmware: {
          vendor: known(info.mainboard_firmware_vendor),
          date: known(info.mainboard_firmware_date),
          version: known(info.mainboard_firmware_version),
        },
        chassis: {
          vendor: known(info.chassis_vendor),
          type: known(info.chassis_type),
          serial: known(info.chassis_serial),
          version: known(info.chassis_version),
        },
        motherboard: {
          vendor: known(info.mainboard_vendor),
          product: known(info.mainboard_product),
          serial: known(info.mainboard_serial),
          version: known(info.mainboard_version),
        },
      },
    },
    networks: Object.fromEntries(facts.interfaces.map((port) => [port.name, networkState(port)])),
  };
}

function known(value: string): string {
  return value === 'Unknown' ? '' : value;
}

function processors(facts: HardwareFacts, architecture: string): object {
  const cores = Array.from({ length: facts.cpuCount }, (_, core) => ({
    core,
    threads: [{ id: core, numa_node: 0, thread: 0, online: true }],
    frequency: facts.cpuSpeedMhz,
  }));
  return {
    architecture,
    sockets: [{ name: facts.cpuModel ?? '', vendor: '', socket: 0, cores, frequency: facts.cpuSpeedMhz }],
    total: facts.cpuCount,
  };
}

function networkCards(facts: HardwareFacts): object {
  const cards = facts.interfaces.map((port) => ({
    vendor: port.vendor ?? '',
    product: port.product ?? '',
    firmware_version: port.firmwareVersion ?? '',
    numa_node: 0,
    ports: [
      {
        id: port.name,
        address: port.mac,
        port: 0,
        protocol: 'ethernet',
        link_detected: port.linkConnected,
        link_speed: port.linkSpeed,
      },
    ],
  }));
  return { cards, total: cards.length };
}

function disks(facts: HardwareFacts): object {
  const list = facts.disks.map((disk) => ({
    id: disk.name,
    device_id: disk.idPath.startsWith('/dev/disk/by-id/') ? disk.idPath.slice('/dev/disk/by-id/'.length) : '',
    model: disk.model ?? '',
    serial: disk.serial ?? '',
    size: disk.size,
    block_size: disk.blockSize,
    firmware_version: disk.firmwareVersion ?? '',
    read_only: false,
    removable: disk.tags.includes('removable'),
    rpm: disk.tags.includes('rotary') ? 1 : 0,
    type: disk.name.startsWith('nvme') ? 'nvme' : disk.name.startsWith('vd') ? 'virtio' : 'scsi',
    numa_node: 0,
    partitions: [],
  }));
  return { disks: list, total: list.length };
}

function networkState(port: HardwareFacts['interfaces'][number]): object {
  return {
    addresses: port.addresses.map(({ address, prefix }) => ({
      family: address.includes(':') ? 'inet6' : 'inet',
      address,
      netmask: String(prefix),
      scope: 'global',
    })),
    bond: null,
    bridge: null,
    vlan: null,
    hwaddr: port.mac,
    mtu: port.mtu,
    state: port.linkConnected ? 'up' : 'down',
    type: 'broadcast',
  };
}
