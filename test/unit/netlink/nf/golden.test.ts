import test from 'ava';
import { encode } from '../../../../src/netlink/codec.js';
import { encodeBatch, type Received, splitDatagram } from '../../../../src/netlink/message.js';
import { tableForm } from '../../../../src/netlink/nf/form.js';
import { planTable } from '../../../../src/netlink/nf/plan.js';
import * as wire from '../../../../src/netlink/nf/wire.js';
import { fixture } from '../fixtures.js';
import { cases } from './golden-cases.js';

const { NFT_NEWTABLE, NFT_NEWCHAIN, NFT_NEWRULE, NFT_NEWSET, NFT_NEWSETELEM } = wire;

const payload = (m: Received): string => m.from.toString('hex', m.at, m.at + m.length);
const ofType = (messages: readonly Received[], { type }: { readonly type: number }) =>
  messages.filter((m) => m.type === type);

/** nft names new sets by number as well, in lookups and elements; we by name only. */
function withoutSetIds(rule: Received): string {
  const { head, attrs } = NFT_NEWRULE.codec.read(rule.from, rule.at, rule.length);
  const expressions = attrs.expressions?.map((e) =>
    e.kind === 'lookup' ? { ...e, data: { ...e.data, setId: undefined } } : e,
  );
  return encode(NFT_NEWRULE.codec, { head, attrs: { ...attrs, expressions } }).toString('hex');
}

/**
 * Of sets the values, not the octets: nft numbers the elements, and adds an empty "typeof" to a concatenation, which tells
 * nobody anything.
 */
function setsOf(messages: readonly Received[]): unknown[] {
  return [NFT_NEWSET, NFT_NEWSETELEM].flatMap(({ type, codec }) =>
    ofType(messages, { type }).map((m) => codec.read(m.from, m.at, m.length)),
  );
}

for (const c of cases) {
  test(`nft golden > ${c.name}: we send what nft sends`, (t) => {
    const theirs = splitDatagram(fixture(`nf/${c.name}`));
    const ours = splitDatagram(encodeBatch(planTable(tableForm(c.spec), undefined), 1).octets);
    for (const type of [NFT_NEWTABLE, NFT_NEWCHAIN]) {
      t.deepEqual(ofType(ours, type).map(payload), ofType(theirs, type).map(payload), type.name);
    }
    const rules = ofType(ours, NFT_NEWRULE).map(payload);
    t.deepEqual(rules, ofType(theirs, NFT_NEWRULE).map(withoutSetIds));
    t.deepEqual(setsOf(ours), setsOf(theirs));
  });

  test(`nft golden > ${c.name}: what nft sends reads and writes back to the same octets`, (t) => {
    const theirs = splitDatagram(fixture(`nf/${c.name}`));
    for (const type of [NFT_NEWTABLE, NFT_NEWCHAIN, NFT_NEWRULE]) {
      for (const m of ofType(theirs, type)) {
        const value = type.codec.read(m.from, m.at, m.length);
        t.is(encode(type.codec as never, value as never).toString('hex'), payload(m), type.name);
      }
    }
  });
}
