import { messageOf } from '../util/index.js';
import type { CallContext } from './drivers.js';
import { PluginApiError } from './errors.js';

/** How long a driver has, after its time is up, to say what it was waiting for. */
const LAST_WORDS_MS = 200;

const OVER = Symbol('over');

/**
 * Runs one call by our own clock: Docker's client has none, and would hang with the container's lock held.
 *
 * When the time is up the signal aborts and the call fails with TIMED_OUT, also when `fn` never settles; what it still does
 * then is the driver's to finish or undo, which is why every call is idempotent.
 */
export async function runByClock<T>(
  method: string,
  requestId: string,
  timeoutMs: number,
  fn: (context: CallContext) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const work = fn({ requestId, signal: controller.signal });
  const inTime = await within(timeoutMs, work);
  if (inTime !== OVER) return inTime;

  const seconds = `${timeoutMs / 1000} s`;
  const timedOut = (why: string, cause?: unknown): PluginApiError =>
    new PluginApiError(
      { code: 'TIMED_OUT', method, timeoutMs },
      `${method} did not finish in ${seconds}: ${why}`,
      { cause },
    );
  const silent = timedOut('the store or the kernel does not answer; see "weft status"');
  controller.abort(silent);
  try {
    const late = await within(LAST_WORDS_MS, work);
    if (late !== OVER) return late;
  } catch (error) {
    throw error === silent ? silent : timedOut(messageOf(error), error);
  }
  // Nobody waits for it any more.
  work.catch(() => undefined);
  throw silent;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | typeof OVER> {
  let timer: NodeJS.Timeout | undefined;
  const clock = new Promise<typeof OVER>((resolve) => {
    timer = setTimeout(resolve, ms, OVER);
  });
  try {
    return await Promise.race([work, clock]);
  } finally {
    clearTimeout(timer);
  }
}
