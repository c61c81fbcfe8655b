import {
  CLASS_IN,
  type Query,
  RCODE,
  bareReply,
  isQuery,
  parseQuery,
  replyLimit,
  writeRejection,
  writeReply,
} from '../wire/index.js';
import type { Zone } from '../zone/index.js';

/** A reply, a query for Docker's resolver, or silence. */
export type Response = { readonly reply: Uint8Array } | { readonly forward: Query } | undefined;

/** What becomes of one message of a container on these networks. Never throws, whatever the message. */
export function respond(
  message: Uint8Array,
  zone: Zone,
  networks: readonly string[],
  transport: 'udp' | 'tcp',
): Response {
  const query = parseQuery(message);
  if (!isQuery(query)) {
    const { rcode } = query;
    return rcode === undefined ? undefined : { reply: writeRejection(message, rcode) };
  }
  const limit = replyLimit(query, transport);
  if (query.edns !== undefined && query.edns.version > 0) {
    return { reply: writeReply(query, bareReply(RCODE.BADVERS), limit) };
  }
  const { name, type } = query;
  if (name === undefined || query.class !== CLASS_IN) return { forward: query };
  const reply = zone.answer({ name, type }, networks);
  return reply ? { reply: writeReply(query, reply, limit) } : { forward: query };
}

/** For a question that Docker's resolver did not answer: better than silence, after which resolvers wait for seconds. */
export function failure(query: Query): Uint8Array {
  return writeReply(query, bareReply(RCODE.SERVFAIL), replyLimit(query, 'udp'));
}
