import type { UpFlags } from '../daemon/index.js';

/** What a command touches of the world; tests give their own. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether `out` is a terminal that shows colors. */
  readonly color: boolean;
  /** Aborts when nobody reads `out` any more. */
  readonly ended: AbortSignal;
  /** Runs the daemon until it is told to stop; answers the exit code. */
  readonly runDaemon: (flags: UpFlags) => Promise<number>;
  /** The same for what answers names beside it. */
  readonly runNames: (flags: UpFlags) => Promise<number>;
}

const codes = { bold: 1, red: 31, green: 32, yellow: 33 } as const;

export function paint(io: Io, color: keyof typeof codes, text: string): string {
  return io.color ? `\u001b[${codes[color]}m${text}\u001b[0m` : text;
}
