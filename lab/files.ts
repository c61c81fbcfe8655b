import { access } from 'node:fs/promises';

/** True when there is something at this path that we may look at. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
