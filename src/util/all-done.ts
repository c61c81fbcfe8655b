/** Waits for all, also when one fails, so that nothing is under way any more; then throws the first failure. */
export async function allDone(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}
