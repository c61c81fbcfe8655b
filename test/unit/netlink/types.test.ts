/** What a table says of its values at compile time. An expectation that does not hold is a compile error. */
import test from 'ava';
import type { Address, Mac } from '../../../src/net/index.js';
import { array, attrs, list, nested, union } from '../../../src/netlink/attr.js';
import { type Value, be16, flag, rest, string, u32, u64, u8 } from '../../../src/netlink/codec.js';
import { address, mac } from '../../../src/netlink/domain.js';
import { type LinkSpec, newLink, setLink } from '../../../src/netlink/index.js';
import { headed, skip, struct } from '../../../src/netlink/struct.js';

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Expect<T extends true> = T;

const inner = attrs('INNER', { id: [1, u32], port: [2, be16] });
const kinds = union('KIND', { kind: 1, data: 2 }, { vxlan: inner, veth: rest });
const outer = attrs('OUTER', {
  name: [1, string],
  names: [2, list(string)],
  props: [3, array('PROPS', 1, nested(inner))],
  big: [4, u64],
  on: [5, flag],
  mac: [6, mac],
  address: [7, address],
});
const head = struct('head', { family: u8, pad: skip(3), ifindex: u32 });

export type Expectations = [
  Expect<Same<Value<typeof u32>, number>>,
  Expect<Same<Value<typeof u64>, bigint>>,
  Expect<
    Same<
      Value<typeof inner>,
      { readonly id?: number | undefined; readonly port?: number | undefined }
    >
  >,
  Expect<Same<Value<typeof outer>['names'], readonly string[] | undefined>>,
  Expect<Same<Value<typeof outer>['props'], readonly Value<typeof inner>[] | undefined>>,
  Expect<Same<Value<typeof outer>['on'], true | undefined>>,
  Expect<Same<Value<typeof outer>['mac'], Mac | undefined>>,
  Expect<Same<Value<typeof outer>['address'], Address | undefined>>,
  Expect<Same<Value<typeof head>, { readonly family: number; readonly ifindex: number }>>,
  Expect<Same<Value<typeof kinds>['kind'], 'vxlan' | 'veth' | 'other'>>,
];

const outerValue = (value: Value<typeof outer>) => value;
const kind = (value: Value<typeof kinds>) => value;
const message = headed(head, outer);

// Never called: only the compiler looks at it.
export function mistakes(link: LinkSpec): void {
  // @ts-expect-error a number is no string
  outerValue({ name: 1 });
  // @ts-expect-error no such field
  outerValue({ nme: 'x' });
  // @ts-expect-error 64 bits are a bigint
  outerValue({ big: 1 });
  // @ts-expect-error a flag is there or not, never false
  outerValue({ on: false });
  // @ts-expect-error text is no Mac until parsed
  outerValue({ mac: '02:00:00:00:00:01' });
  // @ts-expect-error the data of a vxlan is its table
  kind({ kind: 'vxlan', data: { nope: 1 } });
  // @ts-expect-error an unknown kind is "other"
  kind({ kind: 'macsec' });
  // @ts-expect-error all fields of a struct are there
  message.size({ head: { family: 1 }, attrs: {} });
  // @ts-expect-error padding is not in the value
  head.of({ pad: 0 });
  // @ts-expect-error a table needs a number for each field
  attrs('X', { id: [u32] });
  // @ts-expect-error the kernel ignores an alias in the message that makes a link
  newLink({ ...link, alias: 'x' });
  // @ts-expect-error the peer of a veth cannot be made up
  newLink({ name: 'a', kind: { type: 'veth', peer: { name: 'b', isUp: true } } });
  // @ts-expect-error a name is changed with renameLink
  setLink(1, { name: 'x' });
}

test('types > hold at compile time', (t) => {
  t.is(typeof mistakes, 'function');
});
