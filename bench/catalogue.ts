import type { Bench } from './bench.js';
import { micro } from './micro/index.js';

/** Every bench, in the order of the list. */
export const benches: readonly Bench[] = [micro];
