/**
 * Attributes: length, type, payload, padded to four octets, in tables that read and write themselves.
 *
 * A table is written once, with the numbers of its uapi header:
 *
 *     const vxlan = attrs('IFLA_VXLAN', { id: [1, u32], learning: [7, bool8], port: [15, be16] });
 *
 * and gives both directions and the type `{ id?: number; learning?: boolean; port?: number }`. All fields are optional,
 * because the kernel is free to leave any of them out. Unknown types are ignored; a type that appears twice counts once,
 * the last, unless the table says `list`. Fields are written in the order of the value's own keys, and read in the order
 * of the wire.
 */
import { type Codec, type Value, rest, string } from './codec.js';
import { NetlinkError, malformed, unencodable } from './errors.js';

/** linux/netlink.h */
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
const HEADER = 4;

export const align4 = (octets: number): number => (octets + 3) & ~3;

export interface AttrTable {
  readonly [field: string]: readonly [type: number, codec: Codec<unknown>];
}

export type AttrValues<S extends AttrTable> = {
  readonly [F in keyof S]?: Value<S[F][1]> | undefined;
};

/** The length of the attribute at `at`, header included. Throws MALFORMED when it does not fit before `end`. */
function attributeLength(table: string, from: Buffer, at: number, end: number): number {
  const length = from.readUInt16LE(at);
  if (length >= HEADER && at + length <= end) return length;
  const type = from.readUInt16LE(at + 2) & NLA_TYPE_MASK;
  throw malformed(
    { table, type, offset: at },
    `length ${length} with ${end - at} octets left in the table`,
  );
}

function writeAttribute<T>(out: Buffer, at: number, type: number, codec: Codec<T>, value: T) {
  const end = codec.write(out, at + HEADER, value);
  out.writeUInt16LE(end - at, at);
  out.writeUInt16LE(type | (codec.typeFlags ?? 0), at + 2);
  return at + align4(end - at);
}

const attributeSize = <T>(codec: Codec<T>, value: T): number => HEADER + align4(codec.size(value));

interface Field {
  readonly field: string;
  readonly type: number;
  readonly codec: Codec<unknown>;
}

/** Names the innermost table and field in an error from below; passes on errors that have a table already. */
function readField(table: string, f: Field, from: Buffer, at: number, length: number): unknown {
  try {
    return (f.codec.item ?? f.codec).read(from, at, length);
  } catch (error) {
    if (error instanceof NetlinkError && error.detail.code === 'MALFORMED') {
      if (error.detail.type !== undefined) throw error;
      const why = error.message.slice(error.message.indexOf(': ') + 2);
      throw malformed({ table, type: f.type, field: f.field, offset: at }, why);
    }
    throw error;
  }
}

/** Names the innermost table and field in an error from below. */
function atField(table: string, field: string, error: unknown): NetlinkError {
  if (error instanceof NetlinkError && error.detail.code === 'UNENCODABLE') {
    if (error.detail.field !== undefined) return error;
  }
  return unencodable(table, field, error instanceof Error ? error.message : String(error));
}

/** A table of attributes; see the top of the file. Carried in an attribute it has no NLA_F_NESTED, see {@link nested}. */
export function attrs<const S extends AttrTable>(table: string, spec: S): Codec<AttrValues<S>> {
  const byName = new Map<string, Field>();
  const byType: (Field | undefined)[] = [];
  for (const [field, [type, codec]] of Object.entries(spec)) {
    byName.set(field, { field, type, codec });
    byType[type] = { field, type, codec };
  }
  const fieldOf = (field: string): Field => {
    const found = byName.get(field);
    if (!found) throw unencodable(table, field, 'no such field');
    return found;
  };

  return {
    name: table,
    size(values) {
      let size = 0;
      for (const field of Object.keys(values)) {
        const value: unknown = values[field];
        if (value === undefined) continue;
        const { codec } = fieldOf(field);
        if (codec.item === undefined) size += attributeSize(codec, value);
        else for (const item of value as unknown[]) size += attributeSize(codec.item, item);
      }
      return size;
    },
    write(out, start, values) {
      let at = start;
      for (const field of Object.keys(values)) {
        const value: unknown = values[field];
        if (value === undefined) continue;
        const { type, codec } = fieldOf(field);
        try {
          if (codec.item === undefined) at = writeAttribute(out, at, type, codec, value);
          else
            for (const item of value as unknown[])
              at = writeAttribute(out, at, type, codec.item, item);
        } catch (error) {
          throw atField(table, field, error);
        }
      }
      return at;
    },
    read(from, start, length) {
      const end = start + length;
      const values: Record<string, unknown> = {};
      for (let at = start; at + HEADER <= end;) {
        const size = attributeLength(table, from, at, end);
        const found = byType[from.readUInt16LE(at + 2) & NLA_TYPE_MASK];
        if (found !== undefined) {
          const value = readField(table, found, from, at + HEADER, size - HEADER);
          if (found.codec.item === undefined) values[found.field] = value;
          else ((values[found.field] ??= []) as unknown[]).push(value);
        }
        at += align4(size);
      }
      return values as AttrValues<S>;
    },
    locate(from, start, length, offset) {
      const end = start + length;
      for (let at = start; at + HEADER <= end;) {
        const size = attributeLength(table, from, at, end);
        if (offset >= at && offset < at + size) {
          const found = byType[from.readUInt16LE(at + 2) & NLA_TYPE_MASK];
          const codec = found?.codec.item ?? found?.codec;
          const inner =
            offset === at ? undefined : codec?.locate?.(from, at + HEADER, size - HEADER, offset);
          return inner ?? (found && `${table}.${found.field}`);
        }
        at += align4(size);
      }
      return undefined;
    },
    nameOf: (type) => byType[type] && `${table}.${byType[type].field}`,
  };
}

/** The same payload in an attribute that carries NLA_F_NESTED, which newer families and strict parsers ask for. */
export function nested<T>(codec: Codec<T>): Codec<T> {
  return { ...codec, typeFlags: NLA_F_NESTED };
}

/** For a field whose type repeats: an array, one attribute an item. Only as a field of {@link attrs}. */
export function list<T>(item: Codec<T>): Codec<readonly T[]> {
  const refuse = (): never => {
    throw unencodable(item.name, undefined, 'a list stands only as a field of a table');
  };
  return { name: `list of ${item.name}`, item, size: refuse, write: refuse, read: refuse };
}

/**
 * A nest that is an array: every attribute in it is one item. Written with the type `type`, or numbered from 1 when it is
 * 'index'; read whatever the types are.
 */
export function array<T>(
  table: string,
  type: number | 'index',
  item: Codec<T>,
): Codec<readonly T[]> {
  return {
    name: table,
    size(values) {
      let size = 0;
      for (const value of values) size += attributeSize(item, value);
      return size;
    },
    write(out, start, values) {
      let at = start;
      for (const [i, value] of values.entries()) {
        const number = type === 'index' ? i + 1 : type;
        try {
          at = writeAttribute(out, at, number, item, value);
        } catch (error) {
          throw atField(table, String(i), error);
        }
      }
      return at;
    },
    read(from, start, length) {
      const end = start + length;
      const values: T[] = [];
      for (let at = start; at + HEADER <= end;) {
        const size = attributeLength(table, from, at, end);
        const number = from.readUInt16LE(at + 2) & NLA_TYPE_MASK;
        const f: Field = { field: String(values.length), type: number, codec: item };
        values.push(readField(table, f, from, at + HEADER, size - HEADER) as T);
        at += align4(size);
      }
      return values;
    },
  };
}

export type UnionValue<K extends { readonly [kind: string]: Codec<unknown> }> =
  | {
      [N in keyof K & string]: {
        readonly kind: N;
        readonly data?: Value<K[N]> | undefined;
      };
    }[keyof K & string]
  | { readonly kind: 'other'; readonly name: string; readonly data?: Uint8Array | undefined };

export interface UnionCodec<T> extends Codec<T> {
  /** Whether the nest names a kind at all. */
  present(from: Buffer, at: number, length: number): boolean;
}

/**
 * A nest of two attributes, a name and a payload whose table depends on the name (link kinds, nftables expressions):
 * `{ kind: 'vxlan', data: {...} }`. A name without a table reads as `{ kind: 'other', name, data: octets }`. `nameCodec` is how
 * the name is written: with a closing NUL unless said otherwise.
 */
export function union<const K extends { readonly [kind: string]: Codec<unknown> }>(
  table: string,
  types: { readonly kind: number; readonly data: number },
  kinds: K,
  nameCodec: Codec<string> = string,
): UnionCodec<UnionValue<K>> {
  type U = { readonly kind: string; readonly name?: string; readonly data?: unknown };
  const codecs = new Map<string, Codec<unknown>>(Object.entries(kinds));
  const codecOf = (kind: string): Codec<unknown> => codecs.get(kind) ?? rest;
  const nameOf = (value: U): string => (value.kind === 'other' ? value.name! : value.kind);

  /** The offset of the attribute of this type, or -1. */
  function find(from: Buffer, start: number, length: number, type: number): number {
    const end = start + length;
    for (let at = start; at + HEADER <= end;) {
      const size = attributeLength(table, from, at, end);
      if ((from.readUInt16LE(at + 2) & NLA_TYPE_MASK) === type) return at;
      at += align4(size);
    }
    return -1;
  }
  function kindAt(from: Buffer, at: number, length: number): string | undefined {
    const found = find(from, at, length, types.kind);
    return found < 0
      ? undefined
      : nameCodec.read(from, found + HEADER, from.readUInt16LE(found) - HEADER);
  }

  return {
    name: table,
    present: (from, at, length) => find(from, at, length, types.kind) >= 0,
    size(value: U) {
      const data = value.data === undefined ? 0 : attributeSize(codecOf(value.kind), value.data);
      return attributeSize(nameCodec, nameOf(value)) + data;
    },
    write(out, start, value: U) {
      const at = writeAttribute(out, start, types.kind, nameCodec, nameOf(value));
      if (value.data === undefined) return at;
      try {
        return writeAttribute(out, at, types.data, codecOf(value.kind), value.data);
      } catch (error) {
        throw atField(table, value.kind, error);
      }
    },
    read(from, at, length) {
      const name = kindAt(from, at, length);
      if (name === undefined) throw malformed({ table, offset: at }, 'no kind');
      const found = find(from, at, length, types.data);
      const own = codecs.get(name);
      const value: Record<string, unknown> = own ? { kind: name } : { kind: 'other', name };
      if (found >= 0) {
        const f: Field = { field: name, type: types.data, codec: own ?? rest };
        const size = from.readUInt16LE(found) - HEADER;
        value['data'] = readField(table, f, from, found + HEADER, size);
      }
      return value as UnionValue<K>;
    },
    locate(from, at, length, offset) {
      const name = kindAt(from, at, length);
      const found = find(from, at, length, types.data);
      if (name === undefined || found < 0 || offset <= found) return `${table}.kind`;
      const size = from.readUInt16LE(found) - HEADER;
      return codecOf(name).locate?.(from, found + HEADER, size, offset) ?? `${table}.data`;
    },
  };
}
