import { CLASS_IN, type Query, RCODE, type ReadReply } from '../wire/index.js';

/** Longest that anything is kept: who wants more truth than that asks for smaller TTLs. */
const MAX_POSITIVE_SEC = 60;
const MAX_NEGATIVE_SEC = 10;
/** What Docker's resolver says of the names of its own containers (moby daemon/libnetwork/resolver.go), which may be others at once. */
const DOCKER_TTL_SEC = 600;
/** RFC 6895 3.1: types from here on are no records but requests (TKEY, AXFR, ANY). */
const FIRST_META_TYPE = 249;

/**
 * Whether the answer may be kept at all. Not for what Docker's resolver may itself have an answer to sooner or later: names without a
 * dot, and addresses.
 */
export function mayBeKept({ name, type, class: klass, edns }: Query): boolean {
  if (name === undefined || !name.includes('.') || name.endsWith('.arpa')) return false;
  return klass === CLASS_IN && type < FIRST_META_TYPE && edns?.hasOptions !== true;
}

/**
 * For how many seconds a reply may be kept, 0 for not at all.
 *
 * Docker's own names can't be told from others by a flag, but its answers have a TTL of ten minutes to the second, and it never says for how
 * long there is nothing (RFC 2308 then forbids to keep that). An upstream's that says exactly ten minutes is kept when it is
 * asked again a second later. That the root knows no such top-level domain is what NAME.NETWORK gets before the container is there.
 */
export function lifetimeSec(query: Query, reply: ReadReply): number {
  const { rcode, isTruncated, answers, soa } = reply;
  if (isTruncated || (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN)) return 0;
  if (answers.some(({ ttlSec }) => ttlSec === DOCKER_TTL_SEC)) return 0;
  const least = Math.min(...reply.ttls.map(({ sec }) => (sec > 0x7fffffff ? 0 : sec)));
  // An alias that leads nowhere is no answer, but to the question for it.
  if (rcode === RCODE.NOERROR && answers.some(({ type }) => type === query.type)) {
    return Math.min(least, MAX_POSITIVE_SEC);
  }
  if (soa === undefined || soa.isRoot) return 0;
  return Math.min(least, soa.minimumSec, MAX_NEGATIVE_SEC);
}
