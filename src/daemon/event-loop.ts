import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { EventLoop } from '../control-api/index.js';

/** How often it looks, and what each figure is too long by. */
const RESOLUTION_MS = 1;
/** Measuring wakes the daemon a thousand times a second, so that it ends when nobody asks for more. */
const KEEP_MS = 60_000;

/** How long callbacks wait for each other, measured while somebody wants to know. */
export class EventLoopWatch implements AsyncDisposable {
  #histogram: IntervalHistogram | undefined;
  #end: NodeJS.Timeout | undefined;
  #since = 0;

  /** What was measured since the last call; the first one starts it. */
  read(): EventLoop {
    const now = performance.now();
    const histogram = this.#histogram;
    const figures: EventLoop =
      histogram === undefined
        ? { forMs: 0, delayMs: { p50: 0, p99: 0, max: 0 } }
        : { forMs: now - this.#since, delayMs: delaysOf(histogram) };
    this.#since = now;
    if (histogram) histogram.reset();
    else this.#start();
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#stop(), KEEP_MS);
    return figures;
  }

  #start(): void {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
  }

  #stop(): void {
    clearTimeout(this.#end);
    this.#histogram?.disable();
    this.#histogram = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
  }
}

function delaysOf(histogram: IntervalHistogram): EventLoop['delayMs'] {
  const ms = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    p50: ms(histogram.percentile(50)),
    p99: ms(histogram.percentile(99)),
    max: ms(histogram.max),
  };
}
