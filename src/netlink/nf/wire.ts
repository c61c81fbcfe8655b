/** linux/netfilter/nf_tables.h: tables, chains, rules, sets and elements as the wire has them. */
import { array, attrs, nested } from '../attr.js';
import { type Codec, type Value, be16, be32, be64, fixed, string, u8 } from '../codec.js';
import { type MessageType } from '../message.js';
import { headed, struct } from '../struct.js';
import { LIST_ITEM, data, expressions } from './expression.js';
import { commentOnly, setUserdata } from './userdata.js';

/** linux/netfilter.h NFPROTO_*, the families that tables come in. */
export const FAMILY = { inet: 1, ip: 2, netdev: 5, bridge: 7, ip6: 10 } as const;
export type NfFamily = keyof typeof FAMILY;

/** linux/netfilter/nfnetlink.h. In answers `resourceId` is the low half of the ruleset's generation. */
export const nfgenmsg = struct('nfgenmsg', { family: u8, version: u8, resourceId: be16 });

/** NFNL_SUBSYS_NFTABLES */
export const SUBSYSTEM = 10;

const beI32 = fixed<number>(
  'be_i32',
  4,
  (from, at) => from.readInt32BE(at),
  (out, at, value) => out.writeInt32BE(value, at),
);

export const SET_FLAG = { anonymous: 0x1, constant: 0x2, interval: 0x4, map: 0x8 } as const;

const table = attrs('NFTA_TABLE', {
  name: [1, string],
  flags: [2, be32],
  use: [3, be32],
  handle: [4, be64],
  userdata: [6, commentOnly],
});

const chain = attrs('NFTA_CHAIN', {
  table: [1, string],
  name: [3, string],
  type: [7, string],
  policy: [5, be32],
  hook: [
    4,
    nested(
      attrs('NFTA_HOOK', {
        number: [1, be32],
        priority: [2, beI32],
        device: [3, string],
        devices: [4, nested(array('NFTA_HOOK_DEVS', 1, string))],
      }),
    ),
  ],
  handle: [2, be64],
  use: [6, be32],
  flags: [10, be32],
  userdata: [12, commentOnly],
});

export type WireChain = Value<typeof chain>;

const rule = attrs('NFTA_RULE', {
  table: [1, string],
  chain: [2, string],
  handle: [3, be64],
  expressions: [4, expressions],
  position: [6, be64],
  userdata: [7, commentOnly],
});

const set = attrs('NFTA_SET', {
  table: [1, string],
  name: [2, string],
  flags: [3, be32],
  keyType: [4, be32],
  keyLength: [5, be32],
  dataType: [6, be32],
  dataLength: [7, be32],
  id: [10, be32],
  userdata: [13, setUserdata],
  handle: [16, be64],
});

export const wireElement = nested(
  attrs('NFTA_SET_ELEM', {
    key: [1, data],
    data: [2, data],
    flags: [3, be32],
    userdata: [6, commentOnly],
  }),
);
export type WireElement = Value<typeof wireElement>;

/** NFTA_LIST_ELEM is what the kernel's own dumps use; nft counts, which the kernel takes as well. */
const elements = attrs('NFTA_SET_ELEM_LIST', {
  table: [1, string],
  set: [2, string],
  elements: [3, nested(array('NFTA_SET_ELEM_LIST_ELEMENTS', LIST_ITEM, wireElement))],
});

function type<T>(name: string, number: number, codec: Codec<T>) {
  const payload = headed(nfgenmsg, codec);
  const kind: MessageType<Value<typeof payload>> = {
    name,
    type: (SUBSYSTEM << 8) | number,
    codec: payload,
  };
  return kind;
}

export const NFT_NEWTABLE = type('NFT_MSG_NEWTABLE', 0, table);
export const NFT_GETTABLE = type('NFT_MSG_GETTABLE', 1, table);
export const NFT_DELTABLE = type('NFT_MSG_DELTABLE', 2, table);
export const NFT_NEWCHAIN = type('NFT_MSG_NEWCHAIN', 3, chain);
export const NFT_GETCHAIN = type('NFT_MSG_GETCHAIN', 4, chain);
export const NFT_DELCHAIN = type('NFT_MSG_DELCHAIN', 5, chain);
export const NFT_NEWRULE = type('NFT_MSG_NEWRULE', 6, rule);
export const NFT_GETRULE = type('NFT_MSG_GETRULE', 7, rule);
export const NFT_DELRULE = type('NFT_MSG_DELRULE', 8, rule);
export const NFT_NEWSET = type('NFT_MSG_NEWSET', 9, set);
export const NFT_GETSET = type('NFT_MSG_GETSET', 10, set);
export const NFT_DELSET = type('NFT_MSG_DELSET', 11, set);
export const NFT_NEWSETELEM = type('NFT_MSG_NEWSETELEM', 12, elements);
export const NFT_GETSETELEM = type('NFT_MSG_GETSETELEM', 13, elements);
export const NFT_DELSETELEM = type('NFT_MSG_DELSETELEM', 14, elements);

/** linux/netfilter/nfnetlink.h NFNL_MSG_BATCH_*: without the subsystem, which `resourceId` names. */
export const NFNL_BATCH_BEGIN: MessageType<Value<typeof nfgenmsg>> = {
  name: 'NFNL_MSG_BATCH_BEGIN',
  type: 16,
  codec: nfgenmsg,
};
export const NFNL_BATCH_END: MessageType<Value<typeof nfgenmsg>> = {
  name: 'NFNL_MSG_BATCH_END',
  type: 17,
  codec: nfgenmsg,
};
