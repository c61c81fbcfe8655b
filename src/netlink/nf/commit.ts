import { type Connection } from '../connection.js';
import { type Message, message } from '../message.js';
import { NFNL_BATCH_BEGIN, NFNL_BATCH_END, SUBSYSTEM, nfgenmsg } from './wire.js';

/**
 * Carries out all messages or none, in one step for every packet. Throws the first refusal; then nothing has changed.
 *
 * `conn` is one of NETLINK.NETFILTER. Only the last message asks for an ack, the others answer when they are refused: so
 * batches of any size fit the socket's buffer.
 */
export async function commit(conn: Connection, messages: readonly Message[]): Promise<void> {
  if (messages.length === 0) return;
  const marks = nfgenmsg.of({ resourceId: SUBSYSTEM });
  const batch: Message[] = [
    { ...message(NFNL_BATCH_BEGIN, 0, marks), ack: false },
    ...messages.slice(0, -1).map((m): Message => ({ ...m, ack: false })),
    messages.at(-1)!,
    { ...message(NFNL_BATCH_END, 0, marks), ack: false },
  ];
  const outcomes = await conn.request(batch, { whole: true });
  // The kernel answers to the first mark when the batch as a whole fails (EPERM, ENOMEM): nothing is said of the others.
  const refused = outcomes.find((outcome) => outcome !== undefined);
  if (refused !== undefined) throw refused;
}
