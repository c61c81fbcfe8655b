import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Memory where there is some: tests sync to disk often, and a disk that others use is slow. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory that is removed at the end of the block: `await using dir = await tempDir()`. */
export async function tempDir(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(ROOT, 'weft-test-'));
  return {
    path,
    [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }),
  };
}
