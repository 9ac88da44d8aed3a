/** What a build says while it works. `fraction` (0 to 1) is of the step; null while it cannot be known. */
export interface BuildProgress {
  step: string;
  fraction: number | null;
  text: string;
}

export interface BuildInput {
  /** Scratch space on a disk with a few GB; emptied afterwards. */
  workDir: string;
  /** Where finished files stand and are found again: a build with the same recipe is not repeated. */
  outDir: string;
  /** Archive to use in place of the host's own sources. */
  mirror?: string;
  /** Build again although the recipe is unchanged, e.g. for security updates. */
  refresh?: boolean;
  log: (line: string) => void;
  onProgress: (progress: BuildProgress) => void;
}

export interface BuiltFile {
  filetype: 'boot-kernel' | 'boot-initrd' | 'squashfs' | 'root-tgz' | 'root-tar.zst';
  path: string;
  sha256: string;
  size: number;
}

export interface BuiltImage {
  purpose: 'ephemeral' | 'deploy';
  os: string;
  release: string;
  arch: string;
  /** Day of the package state, yyyymmdd. */
  version: string;
  title: string;
  files: BuiltFile[];
  /** Seconds per step; empty when everything came from the cache. */
  seconds: Record<string, number>;
}

/**
 * Turns apt's verbose output into a fraction: each package is fetched, unpacked and set up. apt says the number of packages
 * several times (essential ones first, then the rest), so the total grows once.
 */
export function packageProgress(report: (fraction: number, text: string) => void): (line: string) => void {
  let total = 0;
  let done = 0;
  return (line) => {
    const count = /(\d+) newly installed/.exec(line);
    if (count !== null) total += Number(count[1]);
    if (!/^(Get:|Unpacking |Setting up )/.test(line) || total === 0) return;
    done += 1;
    report(Math.min(0.99, done / (total * 3)), line.slice(0, 120));
  };
}
