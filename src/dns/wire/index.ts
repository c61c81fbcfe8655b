/**
 * DNS messages: queries read, replies written, by hand and without copies of what need not be copied.
 *
 * Promises: no input throws or takes more time than its octets; what is written any resolver reads. Does not: read replies,
 * but for whether they answer the question and for how long they hold (they are passed on as they are), know zones.
 */
export { CLASS_IN, FLAG, HEADER_OCTETS, MAX_UDP_OCTETS, RCODE, TYPE } from './constants.js';
export { isName } from './name.js';
export {
  type Edns,
  type Query,
  type Rejected,
  answersQuestion,
  isBareError,
  isQuery,
  parseQuery,
  replyLimit,
  sameQuestion,
} from './query.js';
export { type ReadReply, readReply, replyFor } from './read-reply.js';
export {
  type Reply,
  type ResourceRecord,
  bareReply,
  writeRejection,
  writeReply,
} from './response.js';
