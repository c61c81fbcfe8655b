/**
 * Address, Prefix, Mac and Vni as values, and arithmetic on them.
 *
 * Promises: values are canonical, so that === compares them and JSON carries them; only the parse functions make them.
 * Does not: touch the kernel, or keep anything.
 */
export { NetError, type NetDetail } from './errors.js';
export {
  type Address,
  type Family,
  addressFromBigInt,
  addressFromBytes,
  addressToBigInt,
  addressToBytes,
  bitsOf,
  familyOf,
  parseAddress,
} from './address.js';
export {
  type AddressRange,
  type AddressWithLength,
  type Prefix,
  formatAddressWithLength,
  parseAddressWithLength,
  parsePrefix,
  prefixContains,
  prefixLengthOf,
  prefixOf,
  prefixesOverlap,
  rangeOf,
  rangesOverlap,
} from './prefix.js';
export {
  type Mac,
  isUnicastMac,
  macFromAddress,
  macFromBytes,
  macToBytes,
  parseMac,
} from './mac.js';
export { type Vni, parseVni } from './vni.js';
