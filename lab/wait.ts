import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../src/util/index.js';
import { LabError } from './errors.js';

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/** Costs nothing when all is well: what is promised to be sooner is measured apart. */
const defaultTimeoutMs = 30_000;
const defaultIntervalMs = 20;

/**
 * Asks until `condition` gives something truthy, and returns that. A condition that throws counts as not
 * yet; the last reason is the cause of the TIMED_OUT error.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let reason: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) {
      const why = reason === undefined ? '' : `: ${messageOf(reason)}`;
      throw new LabError(
        { code: 'TIMED_OUT', waitedFor: what },
        `${what} did not come true within ${timeoutMs / 1000} s${why}`,
        { cause: reason },
      );
    }
    await delay(options.intervalMs ?? defaultIntervalMs);
  }
}
