import type { Family } from '../../src/net/index.js';

/** A network namespace that measures: a container's, or a host's own. */
export interface Place {
  /** A process in it, as the jail counts. */
  readonly pid: number;
  readonly addresses: Readonly<Partial<Record<Family, string>>>;
}

/** Two places on two hosts, and what is between them. */
export interface Path {
  readonly subject: string;
  readonly client: Place;
  readonly server: Place;
}

/**
 * Ahead of all else that the machine does: the scheduler weighs sessions first, where it groups them, then processes.
 * No real-time class, under which a sender that never waits would keep its own receiver from the core.
 */
const ahead = '{ echo -20 > /proc/self/autogroup; } 2>/dev/null; exec nice -n -20 "$@"';

/** The command line that runs `argv` in a place on one core, for a process of the jail. */
export function inPlace({ pid }: Place, core: number, argv: readonly string[]): string[] {
  return inNetns(`/proc/${pid}/ns/net`, core, argv);
}

/** The same in the namespace that this is a file of. */
export function inNetns(netns: string, core: number, argv: readonly string[]): string[] {
  const enter = ['nsenter', `--net=${netns}`, 'taskset', '--cpu-list', String(core)];
  return [...enter, 'sh', '-c', ahead, 'sh', ...argv];
}
