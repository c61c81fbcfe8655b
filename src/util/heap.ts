import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits, Worker } from 'node:worker_threads';

/**
 * The daemon is idle nearly always, and V8 spends memory to spare a busy program work. The part of the heap where objects begin keeps
 * the size that it has at first, 2 MiB, where it would grow to 32 for as long as the process lives; and what is dead is looked for
 * when the heap has grown by a third, not when it has doubled.
 */
const FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=30'];

/** The same for the heap of a worker thread, which has one of its own. V8 takes a third of this for the half in use. */
export const SMALL_HEAP: ResourceLimits = { maxYoungGenerationSizeMb: 3 };

/** From now on. To be called before anything big is loaded, for loading it makes the heap grow. */
export function keepHeapSmall(): void {
  for (const flag of FLAGS) setFlagsFromString(flag);
}

/** V8 takes the first of the flags back whenever the heap of another thread is made. Without {@link keepHeapSmall}, does nothing of use. */
export function keepHeapSmallBeside(worker: Worker): void {
  worker.once('online', keepHeapSmall);
}
