import { randomBytes } from 'node:crypto';
import type { Store } from '../store/index.js';

const KEY = 'host-id';

/** This host's id: made once, kept on its disk, the same whatever the host is called. */
export async function hostIdentity(local: Store): Promise<string> {
  const known = await local.get(KEY);
  if (known && /^[0-9a-f]{12}$/.test(known.value)) return known.value;
  const id = randomBytes(6).toString('hex');
  await local.transact([{ op: 'set', key: KEY, value: id }]);
  return id;
}
