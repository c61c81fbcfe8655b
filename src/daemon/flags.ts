/** What `weft up` was told on its command line; src/cli checks only that numbers are numbers. Absent: not given. */
export interface UpFlags {
  readonly config?: string;
  readonly store?: 'embedded' | 'consul';
  readonly consulAddress?: string;
  /** Link name, address or prefix. */
  readonly underlay?: string;
  readonly mtu?: number;
  readonly port?: number;
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly pluginSocket?: string;
  readonly dockerSocket?: string;
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  readonly logFormat?: 'json' | 'text';
  /** Print the settings that would be used, and stop. */
  readonly printConfig?: boolean;
}

/** The flags that stand for settings, in the shape of the configuration file; what was not given is undefined. */
export function settingsOf(flags: UpFlags) {
  return {
    store: { kind: flags.store, address: flags.consulAddress },
    underlay: { select: flags.underlay, mtu: flags.mtu, port: flags.port },
    stateDir: flags.stateDir,
    runDir: flags.runDir,
    pluginSocket: flags.pluginSocket,
    dockerSocket: flags.dockerSocket,
    log: { level: flags.logLevel, format: flags.logFormat },
  };
}
