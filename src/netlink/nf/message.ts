/** The messages that change a table, one thing each; they go out by commit. */
import { align4 } from '../attr.js';
import { type Message, NLM_F, message } from '../message.js';
import { dataTypes } from './data-type.js';
import {
  type BaseForm,
  type ChainForm,
  type ElementForm,
  type RuleForm,
  type SetForm,
  VERDICT_DATA,
} from './form.js';
import { type TableRef } from './spec.js';
import {
  FAMILY,
  NFT_DELCHAIN,
  NFT_DELRULE,
  NFT_DELSET,
  NFT_DELSETELEM,
  NFT_DELTABLE,
  NFT_NEWCHAIN,
  NFT_NEWRULE,
  NFT_NEWSET,
  NFT_NEWSETELEM,
  NFT_NEWTABLE,
  SET_FLAG,
  type WireElement,
  wireElement,
  nfgenmsg,
} from './wire.js';

/** An attribute's length has 16 bits; what does not fit goes out in several messages. */
const MAX_ELEMENTS_OCTETS = 60_000;

const { CREATE, EXCL, APPEND } = NLM_F;

const head = (table: TableRef) => nfgenmsg.of({ family: FAMILY[table.family] });
const nameOf = (table: TableRef) => `table ${table.family} ${table.name}`;
const userdata = (comment: string | undefined) => (comment === undefined ? undefined : { comment });

/** nf_tables.h NFT_TABLE_F_OWNER */
const OWNED = 2;

/** EEXIST when there is one. */
export function newTable(table: TableRef, comment: string | undefined, owned = false): Message {
  const attrs = { name: table.name, flags: owned ? OWNED : 0, userdata: userdata(comment) };
  return message(NFT_NEWTABLE, CREATE | EXCL, { head: head(table), attrs }, nameOf(table));
}

/** Without a look at whether there is one. */
export function someTable(table: TableRef): Message {
  const value = { head: head(table), attrs: { name: table.name, flags: 0 } };
  return message(NFT_NEWTABLE, CREATE, value, nameOf(table));
}

/** With all that is in it. ENOENT when there is none. */
export function delTable(table: TableRef): Message {
  const value = { head: head(table), attrs: { name: table.name } };
  return message(NFT_DELTABLE, 0, value, nameOf(table));
}

function hookAttrs({ hook, priority, devices }: BaseForm) {
  // Kernels before 5.5 know one device only; nft, too, sends a list only where there are several.
  const [device] = devices;
  if (devices.length <= 1) return { number: hook, priority, device };
  return { number: hook, priority, devices };
}

export function newChain(table: TableRef, chain: ChainForm): Message {
  const { name, base, comment } = chain;
  const attrs = {
    table: table.name,
    name,
    type: base?.type,
    policy: base?.policy,
    hook: base && hookAttrs(base),
    userdata: userdata(comment),
  };
  const about = `chain "${name}" of ${nameOf(table)}`;
  return message(NFT_NEWCHAIN, CREATE, { head: head(table), attrs }, about);
}

/** With its rules. EBUSY while rules or elements elsewhere jump to it. */
export function delChain(table: TableRef, name: string): Message {
  const value = { head: head(table), attrs: { table: table.name, name } };
  return message(NFT_DELCHAIN, 0, value, `chain "${name}" of ${nameOf(table)}`);
}

/** Appends a rule. */
export function newRule(table: TableRef, chain: string, rule: RuleForm): Message {
  const { expressions, comment } = rule;
  const attrs = { table: table.name, chain, expressions, userdata: userdata(comment) };
  const which = comment === undefined ? 'a rule' : `rule "${comment}"`;
  const about = `${which} of chain "${chain}" of ${nameOf(table)}`;
  return message(NFT_NEWRULE, CREATE | APPEND, { head: head(table), attrs }, about);
}

/** Deletes all rules of a chain. */
export function flushChain(table: TableRef, chain: string): Message {
  const value = { head: head(table), attrs: { table: table.name, chain } };
  return message(NFT_DELRULE, 0, value, `rules of chain "${chain}" of ${nameOf(table)}`);
}

/** `id` only has to differ from other new sets in the same batch. */
export function newSet(table: TableRef, set: SetForm, id: number): Message {
  const isMap = (set.flags & SET_FLAG.map) !== 0;
  const isOfVerdicts = set.dataType === VERDICT_DATA;
  const attrs = {
    table: table.name,
    name: set.name,
    flags: set.flags,
    keyType: set.keyType,
    keyLength: set.keyLength,
    dataType: isMap ? set.dataType : undefined,
    // Marks and priorities have 32 bits, and verdicts no length.
    dataLength: isMap ? (isOfVerdicts ? 0 : 4) : undefined,
    id,
    userdata: {
      keyByteOrder: set.keyByteOrder,
      dataByteOrder: isMap ? (isOfVerdicts ? 0 : dataTypes.mark.byteOrder) : undefined,
      comment: set.comment,
    },
  };
  const about = `set "${set.name}" of ${nameOf(table)}`;
  return message(NFT_NEWSET, CREATE, { head: head(table), attrs }, about);
}

/** EBUSY while rules ask it. */
export function delSet(table: TableRef, name: string): Message {
  const value = { head: head(table), attrs: { table: table.name, name } };
  return message(NFT_DELSET, 0, value, `set "${name}" of ${nameOf(table)}`);
}

function wireForm({ key, verdict, value, comment }: ElementForm): WireElement {
  const data = verdict ? { verdict } : value && { value };
  return { key: { value: key }, data, userdata: userdata(comment) };
}

function inChunks(elements: Iterable<WireElement>): WireElement[][] {
  const chunks: WireElement[][] = [];
  let octets = Infinity;
  for (const element of elements) {
    const size = 4 + align4(wireElement.size(element));
    if (octets + size > MAX_ELEMENTS_OCTETS) {
      chunks.push([]);
      octets = 0;
    }
    chunks.at(-1)!.push(element);
    octets += size;
  }
  return chunks;
}

/** What is in the set already stays as it is, comment and all; in a map with another verdict it is EEXIST. */
export function newElements(
  table: TableRef,
  set: string,
  elements: Iterable<ElementForm>,
): Message[] {
  const about = `elements of set "${set}" of ${nameOf(table)}`;
  return inChunks(Array.from(elements, wireForm)).map((chunk) => {
    const value = { head: head(table), attrs: { table: table.name, set, elements: chunk } };
    return message(NFT_NEWSETELEM, CREATE, value, about);
  });
}

/** ENOENT for what is not in the set. */
export function delElements(
  table: TableRef,
  set: string,
  elements: Iterable<ElementForm>,
): Message[] {
  const about = `elements of set "${set}" of ${nameOf(table)}`;
  const keys = Array.from(elements, ({ key }) => ({ key: { value: key } }));
  return inChunks(keys).map((chunk) => {
    const value = { head: head(table), attrs: { table: table.name, set, elements: chunk } };
    return message(NFT_DELSETELEM, 0, value, about);
  });
}
