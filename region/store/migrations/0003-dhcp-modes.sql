-- Proxy: another server gives the addresses in this VLAN, its rack only says what to boot. Relay and on have columns already.
ALTER TABLE vlans ADD COLUMN dhcp_proxy boolean NOT NULL DEFAULT false;
ALTER TABLE vlans ADD CONSTRAINT vlans_one_mode CHECK (NOT (dhcp_on AND dhcp_proxy));
-- When a rack last listened for DHCP servers that are none of ours; vlans.external_dhcp is the first that it heard.
ALTER TABLE vlans ADD COLUMN dhcp_probed timestamptz;
CREATE TABLE foreign_dhcp (
  vlan_id integer NOT NULL REFERENCES vlans ON DELETE CASCADE,
  address inet NOT NULL, mac text NOT NULL, rack_id text NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT now(), seen timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (vlan_id, address)
);
-- Dynamic addresses as each rack's DHCP server counts them.
CREATE TABLE dhcp_pools (
  subnet_id integer NOT NULL REFERENCES subnets ON DELETE CASCADE,
  rack_id text NOT NULL REFERENCES racks ON DELETE CASCADE,
  addresses integer NOT NULL, given integer NOT NULL,
  refused_at timestamptz,              -- last time a machine asked in vain
  updated timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subnet_id, rack_id)
);
-- PEM of the rack's own TLS certificate: the other rack of a VLAN believes it by this.
ALTER TABLE racks ADD COLUMN certificate text;
