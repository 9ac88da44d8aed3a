/** Keys of `hardware_info` in the order of the machine object → keyword of `dmidecode -s`. */
const KEYWORDS = {
  system_vendor: 'system-manufacturer',
  system_product: 'system-product-name',
  system_family: 'system-family',
  system_version: 'system-version',
  system_sku: 'system-sku-number',
  system_serial: 'system-serial-number',
  cpu_model: null,
  mainboard_vendor: 'baseboard-manufacturer',
  mainboard_product: 'baseboard-product-name',
  mainboard_serial: 'baseboard-serial-number',
  mainboard_version: 'baseboard-version',
  mainboard_firmware_vendor: 'bios-vendor',
  mainboard_firmware_date: 'bios-release-date',
  mainboard_firmware_version: 'bios-version',
  chassis_vendor: 'chassis-manufacturer',
  chassis_type: 'chassis-type',
  chassis_serial: 'chassis-serial-number',
  chassis_version: 'chassis-version',
} as const;

export type HardwareInfoKey = keyof typeof KEYWORDS;
export type HardwareInfo = Record<HardwareInfoKey, string>;

const MAX_VALUE = 256;
/** What firmware says when its maker filled nothing in. */
const MEANINGLESS = ['', 'none', '0123456789', 'not specified'];

/** The 18 fixed keys; `Unknown` where the firmware gives no usable value. */
export function hardwareInfo(dmi: Record<string, string>, cpuModel: string | null): HardwareInfo {
  const value = (key: HardwareInfoKey): string => {
    const keyword = KEYWORDS[key];
    const text = (keyword === null ? (cpuModel ?? '') : (dmi[keyword] ?? '')).trim().slice(0, MAX_VALUE);
    return MEANINGLESS.includes(text.toLowerCase()) ? 'Unknown' : text;
  };
  return {
    system_vendor: value('system_vendor'),
    system_product: value('system_product'),
    system_family: value('system_family'),
    system_version: value('system_version'),
    system_sku: value('system_sku'),
    system_serial: value('system_serial'),
    cpu_model: value('cpu_model'),
    mainboard_vendor: value('mainboard_vendor'),
    mainboard_product: value('mainboard_product'),
    mainboard_serial: value('mainboard_serial'),
    mainboard_version: value('mainboard_version'),
    mainboard_firmware_vendor: value('mainboard_firmware_vendor'),
    mainboard_firmware_date: value('mainboard_firmware_date'),
    mainboard_firmware_version: value('mainboard_firmware_version'),
    chassis_vendor: value('chassis_vendor'),
    chassis_type: value('chassis_type'),
    chassis_serial: value('chassis_serial'),
    chassis_version: value('chassis_version'),
  };
}

/** SMBIOS UUID, lower case with dashes; null when it does not look like one or is a filler (all 0, all f). */
export function hardwareUuid(dmi: Record<string, string>): string | null {
  const digits = (dmi['system-uuid'] ?? '').trim().toLowerCase().replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/.test(digits) || /^(0{32}|f{32})$/.test(digits)) return null;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
