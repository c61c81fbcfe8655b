import test from 'ava';
import type { ClusterError } from '../../../src/cluster/index.js';
import type { DriverError } from '../../../src/driver/index.js';
import type { IpamError } from '../../../src/ipam/index.js';
import { kindOfCode } from '../../../src/plugin-api/status.js';
import type { StoreError } from '../../../src/store/index.js';

type DriversCode = (StoreError | ClusterError | DriverError | IpamError)['code'];

/** Names each code that the folders behind the drivers can throw and the table does not know; must be empty to compile. */
type Missing = Exclude<DriversCode, keyof typeof kindOfCode>;
const nothingMissing: [Missing] extends [never] ? true : Missing = true;

test('plugin-api > every code of the folders behind the drivers has a kind', (t) => {
  t.true(nothingMissing);
});
