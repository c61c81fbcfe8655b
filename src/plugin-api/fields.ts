import {
  type Address,
  type AddressWithLength,
  type Mac,
  type Prefix,
  macFromBytes,
  parseAddress,
  parseAddressWithLength,
  parseMac,
  parsePrefix,
} from '../net/index.js';
import { messageOf } from '../util/index.js';
import { invalidField } from './errors.js';

/* Values of single fields. Each throws INVALID_REQUEST that names the field. */

function read<T>(field: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw invalidField(field, messageOf(cause), cause);
  }
}

export function addressField(field: string, text: string): Address {
  return read(field, () => parseAddress(text));
}

export function cidrField(field: string, text: string): AddressWithLength {
  return read(field, () => parseAddressWithLength(text));
}

export function prefixField(field: string, text: string): Prefix {
  return read(field, () => parsePrefix(text));
}

export function macField(field: string, text: string): Mac {
  return read(field, () => parseMac(text));
}

/** A Go []byte, which JSON carries as base64: net.HardwareAddr has no text form of its own there. */
export function macBytesField(field: string, value: unknown): Mac {
  return read(field, () => {
    if (typeof value !== 'string') throw new Error('must be base64');
    return macFromBytes(Buffer.from(value, 'base64'));
  });
}

/** `undefined` for absent and for "", which Go sends for a value that is not there. */
export function optional<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined || text === '' ? undefined : parse(text);
}

export function booleanField(field: string, value: unknown, absent: boolean): boolean {
  if (value === undefined) return absent;
  if (typeof value !== 'boolean') throw invalidField(field, 'must be boolean');
  return value;
}

/** A map of what a user typed as `key=value`. */
export function textMapField(field: string, value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidField(field, 'must be object');
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string') throw invalidField(`${field}["${key}"]`, 'must be string');
      return [key, text];
    }),
  );
}
