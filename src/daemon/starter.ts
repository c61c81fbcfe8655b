import { setTimeout as delay } from 'node:timers/promises';
import type { DockerContainers, StoppedContainer } from '../docker/index.js';
import { messageOf } from '../util/index.js';
import type { EventLog } from './event-log.js';
import type { Log } from './log.js';

/** A look asks Docker about each stopped container, so they are frequent only while Docker may still be giving up on some. */
const EVERY_MS = 15_000;
const SELDOM_MS = 300_000;
/** After a sign: an engine may wait fifteen seconds for weft, container after container. */
const FREQUENT_MS = 1_200_000;
/** Signs come in bursts. */
const SETTLE_MS = 200;
/** How many starts are under way at once: a host has few cores, and Docker many locks. */
const AT_ONCE = 4;
/** What does not start with weft there has another trouble, and its owner must look. */
const MAX_TRIES = 6;
const FIRST_RETRY_MS = 2000;

/** Restart policies under which Docker starts a container by itself when the engine starts. */
const RESTARTED = new Set(['always', 'unless-stopped', 'on-failure']);

/** What Docker says of a start that failed because weft was not there, or could not reach its store (moby pkg/plugins). */
const WEFT_WAS_AWAY: readonly RegExp[] = [
  /plugin "?weft"? not found/,
  /plugins\/weft\.sock/,
  /(?:IpamDriver|NetworkDriver)\.\w+"?: (?:EOF|.*connection re(?:fused|set))/,
  /\b(?:STORE_UNAVAILABLE|UNAVAILABLE|STORE_CLOSED|TIMED_OUT|HOST_REMOVED|NETWORK_UNCONFIRMED): /,
  // A host that comes back before the lease of its last life has ended: it is refused until then.
  /\b(?:HOST_ID_TAKEN|VTEP_TAKEN): /,
  // By the container's own endpoint of before: Docker could not tell us of its end, and it is found only in time.
  /\bADDRESS_TAKEN: \S+ is taken: endpoint \S+ on this host /,
];

export interface StarterDeps {
  readonly containers: Pick<DockerContainers, 'stoppedOn' | 'start'>;
  /** Names of the engine's networks that are weft's; empty while the engine does not answer. */
  readonly networks: () => ReadonlySet<string>;
  readonly events: Pick<EventLog, 'add'>;
  readonly log: Log;
  /** Steady milliseconds. */
  readonly uptime?: () => number;
}

interface Tries {
  readonly count: number;
  /** Not before then. */
  readonly next: number;
}

/**
 * Starts containers that Docker gave up on because weft was not there: an engine that starts tries each container once.
 *
 * Only those that Docker itself would have started: they have a restart policy, ran before, and their last start failed for want of
 * weft. Docker wipes that error with the next good start, so one that somebody stopped, or that ended, has none; and one that
 * somebody had stopped under `unless-stopped` Docker did not try. What `docker run` could not start the first time is its
 * user's to repeat, as without weft.
 */
export class Starter implements AsyncDisposable {
  readonly #deps: StarterDeps;
  readonly #uptime: () => number;
  readonly #aborter = new AbortController();
  readonly #tries = new Map<string, Tries>();
  #signAt: number;
  #wake = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: StarterDeps) {
    this.#deps = deps;
    this.#uptime = deps.uptime ?? (() => performance.now());
    this.#signAt = this.#uptime();
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Something that was missing is there again: Docker, or the store. */
  look(): void {
    this.#tries.clear();
    this.#signAt = this.#uptime();
    this.#wake.abort();
  }

  /** One look; resolves when every start is done. */
  async round(): Promise<void> {
    const { containers, networks } = this.#deps;
    const { signal } = this.#aborter;
    const names = networks();
    if (names.size === 0) return;
    const stopped = (await containers.stoppedOn(names, signal)).filter(wasGivenUp);
    const ids = new Set(stopped.map(({ id }) => id));
    for (const id of this.#tries.keys()) if (!ids.has(id)) this.#tries.delete(id);
    const waiting = stopped.filter(({ id }) => this.#mayTry(id));
    const worker = async (): Promise<void> => {
      for (;;) {
        const container = waiting.shift();
        if (!container || signal.aborted) return;
        await this.#startOne(container, signal);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.round();
      } catch (err) {
        if (!signal.aborted) this.#deps.log.debug({ err }, 'stopped containers not looked at');
      }
      const isFrequent = this.#uptime() - this.#signAt < FREQUENT_MS;
      const due = Math.min(
        isFrequent ? EVERY_MS : SELDOM_MS,
        ...[...this.#tries.values()].map(({ next }) => this.#in(next)),
      );
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await delay(due, undefined, { signal: woken }).catch(() => undefined);
      await delay(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #in(next: number): number {
    return Math.max(0, next - this.#uptime());
  }

  #mayTry(id: string): boolean {
    const tries = this.#tries.get(id);
    return !tries || (tries.count < MAX_TRIES && tries.next <= this.#uptime());
  }

  async #startOne({ id, name, error }: StoppedContainer, signal: AbortSignal): Promise<void> {
    const { containers, events, log } = this.#deps;
    const count = (this.#tries.get(id)?.count ?? 0) + 1;
    // The last one waits for a sign.
    const pauseMs = count < MAX_TRIES ? FIRST_RETRY_MS * 3 ** (count - 1) : Infinity;
    try {
      await containers.start(id, signal);
      const text = `container ${name} started: Docker had given up on it while weft was away`;
      events.add({ code: 'CONTAINER_STARTED', text });
    } catch (err) {
      if (signal.aborted) return;
      log.warn({ container: name, err, before: error }, 'container not started again');
      if (count === MAX_TRIES) {
        const text = `container ${name} does not start, and is left alone: ${messageOf(err)}`;
        events.add({ code: 'CONTAINER_LEFT', level: 'warn', text });
      }
    }
    this.#tries.set(id, { count, next: this.#uptime() + pauseMs });
  }
}

/** True for a container that Docker wanted to run, and could not for want of weft. */
export function wasGivenUp({ error, hasRun, restartPolicy }: StoppedContainer): boolean {
  if (!hasRun || !RESTARTED.has(restartPolicy)) return false;
  return WEFT_WAS_AWAY.some((pattern) => pattern.test(error));
}
