import test from 'ava';
import { Lab } from '../../lab/index.js';
import { reuseOneAddress } from '../helpers/policy-reuse.js';

test('policy > I3: an address that a thousand containers have, one after the other, brings no verdict along', async (t) => {
  t.timeout(3_600_000);
  await using lab = await Lab.create({ hosts: 3, engine: '28.5', store: 'consul' });
  t.log(await reuseOneAddress(t, lab, 1000));
});
