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
import { DOMAIN, type Zone } from '../zone/index.js';

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

/**
 * What the host itself is told, of all networks that it has: names in our domain, and whom an address of ours belongs to. All else is refused:
 * there is nobody to ask it of.
 */
export function respondToHost(
  message: Uint8Array,
  zone: Zone,
  transport: 'udp' | 'tcp',
): Uint8Array | undefined {
  const query = parseQuery(message);
  const isOurs = !isQuery(query) || mayBeOurs(query);
  const response = isOurs
    ? respond(message, zone, zone.networkIds(), transport)
    : { forward: query };
  if (response === undefined || 'reply' in response) return response?.reply;
  const { forward } = response;
  return writeReply(forward, bareReply(RCODE.REFUSED), replyLimit(forward, transport));
}

function mayBeOurs({ name = '' }: Query): boolean {
  return name === DOMAIN || name.endsWith(`.${DOMAIN}`) || name.endsWith('.arpa');
}

/** For a question that Docker's resolver did not answer: better than silence, after which resolvers wait for seconds. */
export function failure(query: Query): Uint8Array {
  return writeReply(query, bareReply(RCODE.SERVFAIL), replyLimit(query, 'udp'));
}
