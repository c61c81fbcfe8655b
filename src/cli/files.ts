import { readFile } from 'node:fs/promises';
import type { PolicyFile } from '../control-api/index.js';

/** `-` is standard input. */
export async function filesOf(paths: readonly string[]): Promise<PolicyFile[]> {
  return Promise.all(
    paths.map(async (path) => ({
      source: path === '-' ? 'standard input' : path,
      text: await readFile(path === '-' ? '/dev/stdin' : path, 'utf8'),
    })),
  );
}

/** Option that may come several times. */
export const again = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
];
