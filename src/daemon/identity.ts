import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
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

/**
 * This machine since it was booted: the same when the daemon restarts, another after a reboot, and on a machine that has a
 * copy of this one's disk. `runDir` does not outlive a boot.
 */
export async function hostInstance(runDir: string): Promise<string> {
  const file = path.join(runDir, 'instance');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const instance = randomBytes(16).toString('hex');
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, instance, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return instance;
}
