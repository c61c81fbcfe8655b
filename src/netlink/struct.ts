/** Fixed structs of the kernel's headers, and what stands behind them. */
import { type Codec, type FixedCodec, type Value } from './codec.js';
import { malformed, unencodable } from './errors.js';

/** Padding: zero on the wire, absent in the value. */
export interface Skip {
  readonly skip: number;
}
export const skip = (octets: number): Skip => ({ skip: octets });

export interface StructTable {
  readonly [field: string]: FixedCodec<unknown> | Skip;
}

export type StructValues<S extends StructTable> = {
  readonly [F in keyof S as S[F] extends Skip ? never : F]: Value<S[F]>;
};

export interface StructCodec<T> extends FixedCodec<T> {
  /** A value with zero in every number that is not given. */
  of(values: Partial<T>): T;
}

/**
 * A C struct, field after field in the order of the header, with padding as {@link skip}. `grows: true` for structs that
 * newer kernels append to: longer is accepted, and the rest ignored.
 */
export function struct<const S extends StructTable>(
  name: string,
  spec: S,
  options: { readonly grows?: boolean } = {},
): StructCodec<StructValues<S>> {
  const fields: { field: string; at: number; codec: FixedCodec<unknown> }[] = [];
  let octets = 0;
  for (const [field, codec] of Object.entries<FixedCodec<unknown> | Skip>(spec)) {
    if ('skip' in codec) octets += codec.skip;
    else {
      fields.push({ field, at: octets, codec });
      octets += codec.octets;
    }
  }
  // One object literal's worth of zeroes: of() and read() start from its shape.
  const zero: Record<string, unknown> = {};
  const empty = Buffer.alloc(octets);
  for (const f of fields) zero[f.field] = f.codec.read(empty, f.at, f.codec.octets);

  return {
    name,
    octets,
    of: (values) => ({ ...zero, ...values }) as StructValues<S>,
    size: () => octets,
    write(out, at, values) {
      for (const f of fields) {
        try {
          f.codec.write(out, at + f.at, (values as Record<string, unknown>)[f.field]);
        } catch (error) {
          throw unencodable(name, f.field, error instanceof Error ? error.message : String(error));
        }
      }
      return at + octets;
    },
    read(from, at, length) {
      if (length < octets || (length > octets && options.grows !== true)) {
        throw malformed({ table: name, offset: at }, `${length} octets where ${octets} belong`);
      }
      const values: Record<string, unknown> = {};
      for (const f of fields) values[f.field] = f.codec.read(from, at + f.at, f.codec.octets);
      return values as StructValues<S>;
    },
  };
}

export interface Headed<H, A> {
  readonly head: H;
  readonly attrs: A;
}

/** A struct with attributes behind it: the form of nearly every netlink payload. */
export function headed<H, A>(head: FixedCodec<H>, table: Codec<A>): Codec<Headed<H, A>> {
  const { octets } = head;
  return {
    name: head.name,
    size: (value) => octets + table.size(value.attrs),
    write: (out, at, value) => table.write(out, head.write(out, at, value.head), value.attrs),
    read(from, at, length) {
      if (length < octets) {
        throw malformed({ table: head.name, offset: at }, `${length} octets, ${octets} needed`);
      }
      return {
        head: head.read(from, at, octets),
        attrs: table.read(from, at + octets, length - octets),
      };
    },
    locate(from, at, length, offset) {
      if (offset < at + octets) return head.name;
      return table.locate?.(from, at + octets, length - octets, offset);
    },
    ...(table.nameOf && { nameOf: table.nameOf.bind(table) }),
  };
}
