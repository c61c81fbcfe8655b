import { messageOf } from '../util/index.js';

/** What the system says of a file: Node's message without the code before it, and the call and path behind. */
export function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  return /^[A-Z0-9]+: (.*), \w+(?: '.*')?$/s.exec(message)?.[1] ?? message;
}
