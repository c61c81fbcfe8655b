import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { tempDir } from '../helpers/temp-dir.js';

const SCRIPT = fileURLToPath(new URL('../helpers/disk-full.js', import.meta.url));

test('embedded store > on a disk that is really full refuses writes, keeps what it had, and works again', async (t) => {
  await using dir = await tempDir();
  const mount = 'mount -t tmpfs -o size=1m weft-test "$1" && exec "$2" "$3" "$1"';
  const args = ['--mount', 'sh', '-c', mount, 'sh', dir.path, process.execPath, SCRIPT];
  await t.notThrowsAsync(promisify(execFile)('unshare', args, { timeout: 30_000 }));
});
