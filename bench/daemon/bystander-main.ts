/** A process with nothing to do: how long its event loop waits is the machine's doing. Answers each message with its p99, ms. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();
process.on('message', () => {
  process.send?.(Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION_MS));
  histogram.reset();
});
