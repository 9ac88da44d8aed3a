-- What is on a machine's disks is asked for by disk and partition, and is deleted with them; without these each time all
-- filesystems of the site were looked through.
CREATE INDEX filesystems_device ON filesystems (device_id);
CREATE INDEX filesystems_partition ON filesystems (partition_id);
-- Copies of the installed system are few or none: whether a machine has one is asked at every grant.
CREATE INDEX filesystems_acquired ON filesystems (id) WHERE acquired;
