-- The account that owns what nobody owns. It cannot log in: no password hash, and is_system.
INSERT INTO users (username, email, is_superuser, is_system) VALUES ('MAAS', '', true, true);

-- Settings that the site is likely to change; others take their default from store/settings.ts.
INSERT INTO settings (name, value) VALUES
  ('node_timeout', '30'),
  ('default_osystem', '"debian"'),
  ('default_distro_series', '"bookworm"'),
  ('commissioning_osystem', '"debian"'),
  ('commissioning_distro_series', '"bookworm"'),
  ('enable_disk_erasing_on_release', 'false'),
  ('disk_erase_with_secure_erase', 'true'),
  ('disk_erase_with_quick_erase', 'false'),
  ('enlist_commissioning', 'true'),
  ('default_storage_layout', '"flat"'),
  ('default_boot_interface_link_type', '"auto"'),
  ('maas_auto_ipmi_user', '"maas"'),
  ('maas_auto_ipmi_user_privilege_level', '"ADMIN"'),
  ('maas_auto_ipmi_k_g_bmc_key', '""'),
  ('maas_auto_ipmi_cipher_suite_id', '"3"'),
  ('kernel_opts', '""');
