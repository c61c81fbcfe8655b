/**
 * What nft keeps with the kernel's objects and the kernel does not look at: comments, and how to print a set.
 *
 * libnftnl udata: a type of one octet, a length of one octet, the payload, no padding; at most 256 octets in all.
 */
import { type Codec, type Value, string, u32 } from '../codec.js';
import { malformed, unencodable } from '../errors.js';

const HEADER = 2;
const MAX_OCTETS = 256; // nf_tables.h NFT_USERDATA_MAXLEN
/** Octets, without the closing NUL: what nft accepts and prints. */
const MAX_COMMENT = 127;

type UserdataTable = Readonly<Record<string, readonly [type: number, codec: Codec<unknown>]>>;
type UserdataValues<S extends UserdataTable> = {
  readonly [F in keyof S]?: Value<S[F][1]> | undefined;
};

function userdata<const S extends UserdataTable>(name: string, spec: S): Codec<UserdataValues<S>> {
  const fields = Object.entries(spec).map(([field, [type, codec]]) => ({ field, type, codec }));
  return {
    name,
    size(values) {
      let size = 0;
      for (const { field, codec } of fields) {
        if (values[field] !== undefined) size += HEADER + codec.size(values[field]);
      }
      return size;
    },
    write(out, start, values) {
      let at = start;
      for (const { field, type, codec } of fields) {
        if (values[field] === undefined) continue;
        const end = codec.write(out, at + HEADER, values[field]);
        if (end - at - HEADER > 255) throw unencodable(name, field, 'longer than 255 octets');
        out[at] = type;
        out[at + 1] = end - at - HEADER;
        at = end;
      }
      if (at - start > MAX_OCTETS) throw unencodable(name, undefined, `longer than ${MAX_OCTETS}`);
      return at;
    },
    read(from, start, length) {
      const end = start + length;
      const values: Record<string, unknown> = {};
      for (let at = start; at + HEADER <= end;) {
        const size = from[at + 1]!;
        if (at + HEADER + size > end) {
          throw malformed(
            { table: name, offset: at },
            `length ${size} with ${end - at} octets left`,
          );
        }
        const found = fields.find((f) => f.type === from[at]);
        if (found) values[found.field] = found.codec.read(from, at + HEADER, size);
        at += HEADER + size;
      }
      return values as UserdataValues<S>;
    },
  };
}

const comment: Codec<string> = {
  ...string,
  write(out, at, value) {
    if (Buffer.byteLength(value) <= MAX_COMMENT) return string.write(out, at, value);
    throw unencodable('comment', undefined, `longer than ${MAX_COMMENT} octets`);
  },
};

/** libnftnl/udata.h NFTNL_UDATA_{TABLE,CHAIN,RULE,SET_ELEM}_COMMENT: all are 0. */
export const commentOnly = userdata('NFTNL_UDATA', { comment: [0, comment] });

/** libnftnl/udata.h NFTNL_UDATA_SET_*: byte orders as nft counts them, 1 host, 2 big-endian, 0 mixed. */
export const setUserdata = userdata('NFTNL_UDATA_SET', {
  keyByteOrder: [0, u32],
  dataByteOrder: [1, u32],
  comment: [7, comment],
});
