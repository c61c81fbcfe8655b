import type { Bench } from './bench.js';
import { control } from './control/index.js';
import { daemon } from './daemon/index.js';
import { datapath } from './datapath/index.js';
import { containers } from './dns/containers.js';
import { dns } from './dns/index.js';
import { micro } from './micro/index.js';
import { policy } from './policy/index.js';
import { profile } from './profile/index.js';
import { scale } from './scale/index.js';

/** Every bench, in the order of the list. */
export const benches: readonly Bench[] = [
  datapath,
  control,
  daemon,
  dns,
  containers,
  micro,
  policy,
  profile,
  scale,
];
