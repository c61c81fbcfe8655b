import type { Event } from '../control-api/index.js';
import { messageOf } from '../util/index.js';
import { Feed } from './feed.js';
import type { Log } from './log.js';

/** Some days of an ordinary host, or the last minutes of a bad one, in well under a megabyte. */
const KEPT = 1000;

/** What happened, in words that need no other line. */
export interface Happening {
  /** Fixed word for programs: UPPER_CASE, what it is about first. */
  readonly code: string;
  readonly text: string;
  /** `warn`: somebody may have to act. Default `info`. */
  readonly level?: Event['level'];
  /** Name or id of what it is about. */
  readonly network?: string;
  readonly host?: string;
}

/**
 * What happened on this host since the daemon started, as `weft events` shows it: the last thousand things that an operator may
 * ask about. Each goes to the log as well. For single calls and packets there is the log at level debug.
 *
 * Ids rise, across restarts of the daemon too, as long as the clock does.
 */
export class EventLog implements AsyncDisposable {
  readonly #log: Log;
  readonly #now: () => Date;
  readonly #events = new Feed<Event>(KEPT);
  #lastId: number;

  constructor(log: Log, now: () => Date = () => new Date()) {
    this.#log = log;
    this.#now = now;
    this.#lastId = now().getTime();
  }

  add({ level = 'info', ...what }: Happening, error?: unknown): void {
    const text = error === undefined ? what.text : `${what.text}: ${messageOf(error)}`;
    const event = { ...what, level, text, id: (this.#lastId += 1), at: this.#now().toISOString() };
    this.#events.add(event);
    const { network, host, code } = what;
    const err = error === undefined ? {} : { err: error };
    this.#log[level](
      { event: code, ...(network && { network }), ...(host && { host }), ...err },
      what.text,
    );
  }

  /** What came after the event with this id, oldest first. When nothing did, waits for it this long. */
  async after(id: number, waitMs: number): Promise<Event[]> {
    return this.#events.after(id, waitMs);
  }

  /** Whoever waits is answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events[Symbol.asyncDispose]();
  }
}
