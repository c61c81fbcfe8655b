/** Reads a table from the kernel's dumps. */
import { type Value } from '../codec.js';
import { type Connection } from '../connection.js';
import { NetlinkError } from '../errors.js';
import { type Message, type MessageType, message } from '../message.js';
import { type Headed } from '../struct.js';
import { VERDICT } from './expression.js';
import {
  type BaseForm,
  type ChainForm,
  type ElementForm,
  type RuleForm,
  type SetForm,
  type TableForm,
  byKey,
} from './form.js';
import { type TableRef } from './spec.js';
import {
  FAMILY,
  NFT_GETCHAIN,
  NFT_GETRULE,
  NFT_GETSET,
  NFT_GETSETELEM,
  NFT_GETTABLE,
  NFT_NEWCHAIN,
  NFT_NEWRULE,
  NFT_NEWSET,
  NFT_NEWSETELEM,
  NFT_NEWTABLE,
  type WireChain,
  type WireElement,
  nfgenmsg,
} from './wire.js';

/** Each attempt is some dumps; others (Docker, firewalls) change tables of their own in the same namespace meanwhile. */
const MAX_ATTEMPTS = 10;

function about<A>(
  table: TableRef,
  kind: MessageType<Headed<Value<typeof nfgenmsg>, A>>,
  attrs: A,
): Message {
  const value = { head: nfgenmsg.of({ family: FAMILY[table.family] }), attrs };
  return message(kind, 0, value, `table ${table.family} ${table.name}`);
}

function baseForm({ type = '', hook, policy = VERDICT.accept }: WireChain): BaseForm | undefined {
  if (hook === undefined) return undefined;
  const { number = 0, priority = 0, device, devices } = hook;
  const names = devices ?? (device === undefined ? [] : [device]);
  return { type, hook: number, priority, policy, devices: names.toSorted() };
}

function elementForm({ key, data, userdata }: WireElement): ElementForm {
  const { code, chain } = data?.verdict ?? {};
  return {
    key: key?.value ?? new Uint8Array(),
    verdict: code === undefined ? undefined : { code, chain },
    value: data?.value,
    comment: userdata?.comment,
  };
}

export async function observeElements(
  conn: Connection,
  table: TableRef,
  set: string,
): Promise<ElementForm[]> {
  const asked = about(table, NFT_GETSETELEM, { table: table.name, set });
  const answers = await conn.dump(asked, NFT_NEWSETELEM);
  return answers.flatMap((m) => m.attrs.elements ?? []).map(elementForm);
}

async function observeSets(conn: Connection, table: TableRef): Promise<Map<string, SetForm>> {
  const sets = new Map<string, SetForm>();
  const dumped = await conn.dump(about(table, NFT_GETSET, { table: table.name }), NFT_NEWSET);
  for (const { attrs } of dumped) {
    if (attrs.table !== table.name) continue;
    const { name = '', flags = 0, keyType = 0, keyLength = 0, dataType = 0, userdata } = attrs;
    const elements = byKey(await observeElements(conn, table, name));
    const { comment, keyByteOrder = 0 } = userdata ?? {};
    const shape = { flags, keyType, keyLength, keyByteOrder, dataType };
    sets.set(name, { name, comment, ...shape, elements });
  }
  return sets;
}

async function observeRules(conn: Connection, table: TableRef): Promise<Map<string, RuleForm[]>> {
  const byChain = new Map<string, RuleForm[]>();
  const dumped = await conn.dump(about(table, NFT_GETRULE, { table: table.name }), NFT_NEWRULE);
  for (const { attrs } of dumped) {
    if (attrs.table !== table.name) continue;
    const { chain = '', expressions = [], userdata } = attrs;
    const rules = byChain.get(chain) ?? [];
    rules.push({ comment: userdata?.comment, expressions });
    byChain.set(chain, rules);
  }
  return byChain;
}

async function observeChains(conn: Connection, table: TableRef): Promise<Map<string, ChainForm>> {
  const rules = await observeRules(conn, table);
  const chains = new Map<string, ChainForm>();
  // The kernel filters by family only.
  for (const { attrs } of await conn.dump(about(table, NFT_GETCHAIN, {}), NFT_NEWCHAIN)) {
    if (attrs.table !== table.name) continue;
    const { name = '', userdata } = attrs;
    const form = { name, comment: userdata?.comment, base: baseForm(attrs) };
    chains.set(name, { ...form, rules: rules.get(name) ?? [] });
  }
  return chains;
}

/** What `read` gives, or undefined when the kernel answers ENOENT. */
async function unlessGone<T>(read: Promise<T>): Promise<T | undefined> {
  return read.catch((error: unknown) => {
    if (error instanceof NetlinkError && error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** Whether there is such a table, whatever it holds. */
export async function isThere(conn: Connection, table: TableRef): Promise<boolean> {
  const asked = about(table, NFT_GETTABLE, { name: table.name });
  return (await unlessGone(conn.get(asked, NFT_NEWTABLE))) !== undefined;
}

/**
 * The table as it is, or undefined. All of it is of one moment: the kernel's generation is the same before and after, or
 * it is read again, at most 10 times, then INTERRUPTED. `conn` is one of NETLINK.NETFILTER.
 */
export async function observeTable(
  conn: Connection,
  table: TableRef,
): Promise<TableForm | undefined> {
  const asked = about(table, NFT_GETTABLE, { name: table.name });
  const { family, name } = table;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const before = await unlessGone(conn.get(asked, NFT_NEWTABLE));
    if (before === undefined) return undefined;
    const comment = before.attrs.userdata?.comment;
    const sets = await unlessGone(observeSets(conn, table));
    const chains = await observeChains(conn, table);
    const after = await unlessGone(conn.get(asked, NFT_NEWTABLE));
    if (sets === undefined || after?.head.resourceId !== before.head.resourceId) continue;
    return { family, name, comment, sets, chains };
  }
  throw new NetlinkError(
    { code: 'INTERRUPTED', op: NFT_GETTABLE.name, attempts: MAX_ATTEMPTS },
    `table ${family} ${name} could not be read in one piece in ${MAX_ATTEMPTS} attempts`,
  );
}
