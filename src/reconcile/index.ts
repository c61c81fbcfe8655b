/**
 * Desired against observed: the plan between them, and the loop that keeps at it.
 *
 * Promises: `plan` is pure. A loop runs one round at a time per key, makes one round of many wake-ups, retries what failed
 * with growing pauses, and visits every key now and then though nothing happened. Does not: know what an object is, or
 * touch anything itself.
 */
export { type Kind, type Step, byKey, plan, planByKey } from './plan.js';
export { Loop, type LoopOptions } from './loop.js';
export { type Status, joinErrors } from './status.js';
