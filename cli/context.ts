/** What main read from the environment; everything else gets it as an argument. */
export interface CliContext {
  env: {
    stateDir: string;
    url: string | undefined;
    apiKey: string | undefined;
    profileFile: string;
  };
  /** Folder of the bundles: ingot.mjs, region.mjs, rack.mjs … */
  dist: string;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  colour: boolean;
  /** A person is watching: lines may be redrawn. */
  live: boolean;
}

/** Options that every command takes. */
export interface GlobalOptions {
  state?: string;
  url?: string;
  apiKey?: string;
  output?: 'table' | 'json';
}

export function stateDirOf(context: CliContext, options: GlobalOptions): string {
  return options.state ?? context.env.stateDir;
}
