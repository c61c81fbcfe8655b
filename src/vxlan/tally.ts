import type { Connection, Message } from '../netlink/index.js';
import type { Step } from '../reconcile/index.js';
import { hasErrno } from './errors.js';

/** What a round did, and what it could not do. */
export class Tally {
  created = 0;
  changed = 0;
  deleted = 0;
  readonly errors: unknown[] = [];

  count(op: Step<unknown>['op']): void {
    if (op === 'create') this.created += 1;
    else if (op === 'change') this.changed += 1;
    else this.deleted += 1;
  }
}

/** What a delete may meet: it is gone already, or the link it was on is. */
export function isGone(error: unknown): boolean {
  return hasErrno(error, 'ENOENT', 'ENODEV', 'ESRCH');
}

/**
 * Carries out steps, in as few requests as may be, counting what is done and keeping what is refused; `done` hears of each
 * that is. What a delete does not find is deleted. Throws when it is not known what was done.
 */
export async function applySteps<D, O>(
  conn: Connection,
  steps: readonly Step<D, O>[],
  messagesOf: (step: Step<D, O>) => readonly Message[],
  tally: Tally,
  done: (step: Step<D, O>) => void,
): Promise<void> {
  for (let at = 0; at < steps.length; at += STEPS_AT_ONCE) {
    await applySome(conn, steps.slice(at, at + STEPS_AT_ONCE), messagesOf, tally, done);
  }
}

/** To encode them takes some milliseconds, in which nothing else runs. */
const STEPS_AT_ONCE = 1024;

async function applySome<D, O>(
  conn: Connection,
  steps: readonly Step<D, O>[],
  messagesOf: (step: Step<D, O>) => readonly Message[],
  tally: Tally,
  done: (step: Step<D, O>) => void,
): Promise<void> {
  const messages: Message[] = [];
  const ends: number[] = [];
  for (const step of steps) {
    messages.push(...messagesOf(step));
    ends.push(messages.length);
  }
  // The kernel tells of every refusal, asked or not; being told of each success would cost as much as the work.
  const last = messages.length - 1;
  const outcomes = await conn.request(
    messages.map((m, i): Message => (i === last ? m : { ...m, ack: false })),
  );
  for (const [i, step] of steps.entries()) {
    // Of a step of two messages the first clears the way for the second, which decides.
    const error = outcomes[ends[i]! - 1];
    if (error === undefined || (step.op === 'delete' && isGone(error))) {
      tally.count(step.op);
      done(step);
    } else {
      tally.errors.push(error);
    }
  }
}
