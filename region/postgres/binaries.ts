import { access, constants, readdir } from 'node:fs/promises';
import path from 'node:path';

/** Debian's layout: one directory a major version. */
const DEBIAN_ROOT = '/usr/lib/postgresql';
const OLDEST_MAJOR = 15;

export interface PostgresBinaries {
  major: number;
  initdb: string;
  postgres: string;
}

/**
 * Finds the server programs: those of `wantedMajor` when an existing data directory needs them, else the newest.
 * Throws with the package to install when there are none.
 */
export async function findPostgres(wantedMajor: number | null): Promise<PostgresBinaries> {
  const majors = (await readdir(DEBIAN_ROOT).catch(() => []))
    .map(Number)
    .filter((major) => Number.isInteger(major) && major >= OLDEST_MAJOR)
    .sort((a, b) => b - a);
  for (const major of wantedMajor === null ? majors : majors.filter((found) => found === wantedMajor)) {
    const bin = path.join(DEBIAN_ROOT, String(major), 'bin');
    const binaries = { major, initdb: path.join(bin, 'initdb'), postgres: path.join(bin, 'postgres') };
    const complete = await Promise.all([binaries.initdb, binaries.postgres].map((file) => access(file, constants.X_OK)))
      .then(() => true)
      .catch(() => false);
    if (complete) return binaries;
  }
  throw new Error(
    wantedMajor === null
      ? `no PostgreSQL ${OLDEST_MAJOR} or newer in ${DEBIAN_ROOT}: apt-get install postgresql, or name a server with --database URL`
      : `the data directory was made by PostgreSQL ${wantedMajor}, which is not in ${DEBIAN_ROOT}: apt-get install postgresql-${wantedMajor}`,
  );
}
