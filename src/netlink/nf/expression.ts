/**
 * linux/netfilter/nf_tables.h NFTA_EXPR_*: the instructions that a rule is made of, as the wire has them.
 *
 * A rule is run from left to right: an expression loads something into a register, or compares a register and ends the
 * rule, or writes the verdict register. Numbers are big-endian, contents of registers are octets.
 */
import { type AttrTable, array, attrs, nested, union } from '../attr.js';
import { type Value, be16, be32, be64, rest, string, u8 } from '../codec.js';

/** NFT_REG_VERDICT; the data registers are counted in data-type.ts. */
export const VERDICT_REGISTER = 0;

/** nf_tables.h enum nft_verdicts and linux/netfilter.h NF_*, as unsigned. */
export const VERDICT = {
  drop: 0,
  accept: 1,
  continue: 0xffff_ffff,
  jump: 0xffff_fffd,
  goto: 0xffff_fffc,
  return: 0xffff_fffb,
} as const;

/** Octets for a register, or a verdict for the verdict register. */
export const data = nested(
  attrs('NFTA_DATA', {
    value: [1, rest],
    verdict: [2, nested(attrs('NFTA_VERDICT', { code: [1, be32], chain: [2, string] }))],
  }),
);
export type Data = Value<typeof data>;

const kind = <const S extends AttrTable>(name: string, table: S) => nested(attrs(name, table));

export const expression = nested(
  union(
    'NFTA_EXPR',
    { kind: 1, data: 2 },
    {
      meta: kind('NFTA_META', { key: [2, be32], dreg: [1, be32], sreg: [3, be32] }),
      payload: kind('NFTA_PAYLOAD', {
        dreg: [1, be32],
        base: [2, be32],
        offset: [3, be32],
        length: [4, be32],
      }),
      ct: kind('NFTA_CT', { key: [2, be32], dreg: [1, be32], direction: [3, u8], sreg: [4, be32] }),
      cmp: kind('NFTA_CMP', { sreg: [1, be32], op: [2, be32], data: [3, data] }),
      bitwise: kind('NFTA_BITWISE', {
        sreg: [1, be32],
        dreg: [2, be32],
        length: [3, be32],
        mask: [4, data],
        xor: [5, data],
        op: [6, be32],
      }),
      lookup: kind('NFTA_LOOKUP', {
        sreg: [2, be32],
        dreg: [3, be32],
        set: [1, string],
        setId: [4, be32],
        flags: [5, be32],
      }),
      immediate: kind('NFTA_IMMEDIATE', { dreg: [1, be32], data: [2, data] }),
      notrack: kind('NFTA_NOTRACK', {}),
      counter: kind('NFTA_COUNTER', { octets: [1, be64], packets: [2, be64] }),
      limit: kind('NFTA_LIMIT', {
        rate: [1, be64],
        unitSec: [2, be64],
        burst: [3, be32],
        type: [4, be32],
        flags: [5, be32],
      }),
      log: kind('NFTA_LOG', {
        prefix: [2, string],
        group: [1, be16],
        snapLength: [3, be32],
        queueThreshold: [4, be16],
        level: [5, be32],
        flags: [6, be32],
      }),
      reject: kind('NFTA_REJECT', { type: [1, be32], code: [2, u8] }),
      nat: kind('NFTA_NAT', {
        type: [1, be32],
        family: [2, be32],
        addressMin: [3, be32],
        addressMax: [4, be32],
        portMin: [5, be32],
        portMax: [6, be32],
        flags: [7, be32],
      }),
    },
  ),
);
/** `{ kind: 'cmp', data: {...} }`; what weft has no table for reads as `{ kind: 'other', name, data: octets }`. */
export type Expression = Value<typeof expression>;

/** NFTA_LIST_ELEM, the type of every item of a list. */
export const LIST_ITEM = 1;
export const expressions = nested(array('NFTA_RULE_EXPRESSIONS', LIST_ITEM, expression));

type Fields = Readonly<Record<string, unknown>>;

/** What the kernel's dumps say where a rule said nothing or something else with the same meaning. */
const asDumped: { readonly [kind: string]: (said: Fields) => Fields } = {
  counter: () => ({}), // counts, and so never the same
  bitwise: (said) => ({ op: 0, ...said }),
  lookup: (said) => ({ flags: 0, ...said, setId: undefined }),
  limit: (said) => ({ type: 0, flags: 0, ...said }),
  log: (said) => ({
    ...(said['group'] === undefined && { level: 4 }),
    snapLength: 0,
    queueThreshold: 0,
    ...said,
  }),
  reject: (said) => (said['type'] === 1 ? { ...said, code: undefined } : said), // a reset has no code
  // Flags 1 and 2 say that there is an address and a port.
  nat: (said) => ({
    ...said,
    addressMax: said['addressMax'] ?? said['addressMin'],
    portMax: said['portMax'] ?? said['portMin'],
    flags: Number(said['flags'] ?? 0) & ~3,
  }),
};

/** For JSON; looks at the original, since a Buffer has turned itself into something else by now. */
function plain(this: Fields, field: string, value: unknown): unknown {
  const original = this[field];
  if (original instanceof Uint8Array) return Buffer.from(original).toString('hex');
  return typeof value === 'bigint' ? String(value) : value;
}

/** Text that is the same for two expressions that do the same, one as we send it, one as the kernel dumps it. */
export function fingerprint(e: Expression): string {
  const given = Object.entries(e.data ?? {}).filter(([, value]) => value !== undefined);
  const said: Fields = Object.fromEntries(given);
  const fields = Object.entries(asDumped[e.kind]?.(said) ?? said);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    [e.kind === 'other' ? e.name : e.kind, fields.filter(([, value]) => value !== undefined)],
    plain,
  );
}
