/**
 * A table as both sides can have it: compiled from a spec, or read from the kernel's dumps. Two tables that do the same
 * have equal forms, but for what expression.ts fingerprints.
 */
import { concatNumber, dataTypes, keyLength, keyToBytes } from './data-type.js';
import { type Expression, VERDICT, fingerprint } from './expression.js';
import { compile } from './rule.js';
import {
  type BaseChain,
  type ChainSpec,
  type ElementSpec,
  type RuleSpec,
  type SetSpec,
  type TableRef,
  type TableSpec,
  type Verdict,
} from './spec.js';
import { type NfFamily, SET_FLAG } from './wire.js';

export interface TableForm extends TableRef {
  readonly comment: string | undefined;
  readonly owned?: boolean | undefined;
  readonly sets: ReadonlyMap<string, SetForm>;
  readonly chains: ReadonlyMap<string, ChainForm>;
}

export interface ChainForm {
  readonly name: string;
  readonly comment: string | undefined;
  readonly base: BaseForm | undefined;
  readonly rules: readonly RuleForm[];
}

export interface BaseForm {
  readonly type: string;
  /** linux/netfilter.h NF_INET_*, NF_BR_*, NF_NETDEV_* */
  readonly hook: number;
  readonly priority: number;
  readonly policy: number;
  readonly devices: readonly string[];
}

export interface RuleForm {
  readonly comment: string | undefined;
  readonly expressions: readonly Expression[];
}

export interface SetForm {
  readonly name: string;
  readonly comment: string | undefined;
  readonly flags: number;
  readonly keyType: number;
  readonly keyLength: number;
  readonly keyByteOrder: number;
  /** Of what a map holds; 0 in a set. */
  readonly dataType: number;
  /** By key in hex. */
  readonly elements: ReadonlyMap<string, ElementForm>;
}

export interface ElementForm {
  readonly key: Uint8Array;
  readonly verdict: { readonly code: number; readonly chain: string | undefined } | undefined;
  /** In a map of marks or priorities. */
  readonly value: Uint8Array | undefined;
  readonly comment: string | undefined;
}

const inetHooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4, ingress: 5 };

function baseForm(family: NfFamily, base: BaseChain): BaseForm {
  const { type, priority, policy = 'accept', devices = [] } = base;
  const hook = family === 'netdev' ? 0 : inetHooks[base.hook];
  return { type, hook, priority, policy: VERDICT[policy], devices: devices.toSorted() };
}

/** Rules are compared with what they were, change after change: each is worked out once. */
const known = new WeakMap<RuleSpec, { readonly family: NfFamily; readonly form: RuleForm }>();

function ruleForm(family: NfFamily, rule: RuleSpec): RuleForm {
  const before = known.get(rule);
  if (before?.family === family) return before.form;
  const { comment, statements } = rule;
  const form = { comment, expressions: compile(family, statements) };
  known.set(rule, { family, form });
  return form;
}

function chainForm(family: NfFamily, chain: ChainSpec): ChainForm {
  const rules = chain.rules.map((rule) => ruleForm(family, rule));
  const { name, comment, base } = chain;
  return { name, comment, base: base && baseForm(family, base), rules };
}

function verdictForm(verdict: Verdict): ElementForm['verdict'] {
  if (typeof verdict === 'string') return { code: VERDICT[verdict], chain: undefined };
  if ('jump' in verdict) return { code: VERDICT.jump, chain: verdict.jump };
  return { code: VERDICT.goto, chain: verdict.goto };
}

export function elementForm(set: SetSpec, element: ElementSpec): ElementForm {
  const { key, verdict, mark, comment } = element;
  return {
    key: keyToBytes(set.type, key),
    verdict: verdict && verdictForm(verdict),
    value: mark === undefined ? undefined : dataTypes.mark.toBytes(mark),
    comment,
  };
}

export const keyText = (key: Uint8Array): string => Buffer.from(key).toString('hex');

export function byKey(elements: Iterable<ElementForm>): Map<string, ElementForm> {
  return new Map(Array.from(elements, (element) => [keyText(element.key), element]));
}

const byName = <T extends { readonly name: string }>(all: readonly T[]): Map<string, T> =>
  new Map(all.map((one) => [one.name, one]));

/** NFT_DATA_VERDICT: what a verdict map holds. */
export const VERDICT_DATA = 0xffff_ff00;
const dataTypeOf = {
  keys: 0,
  verdicts: VERDICT_DATA,
  marks: dataTypes.mark.number,
  priorities: dataTypes.classid.number,
} as const;

function setForm(set: SetSpec): SetForm {
  const { name, comment, type, holds = 'keys', elements = [] } = set;
  return {
    name,
    comment,
    flags: holds === 'keys' ? 0 : SET_FLAG.map,
    keyType: concatNumber(type),
    keyLength: keyLength(type),
    keyByteOrder: type.length === 1 ? dataTypes[type[0]!].byteOrder : 0,
    dataType: dataTypeOf[holds],
    elements: byKey(elements.map((element) => elementForm(set, element))),
  };
}

/** Throws UNENCODABLE for rules and keys that can't be. */
export function tableForm(spec: TableSpec): TableForm {
  const { family, name, comment, owned, sets = [], chains } = spec;
  return {
    family,
    name,
    comment,
    owned,
    sets: byName(sets.map(setForm)),
    chains: byName(chains.map((chain) => chainForm(family, chain))),
  };
}

/** Text that is the same for rule lists that do, and say, the same. */
export function rulesText(rules: readonly RuleForm[]): string {
  return rules.map(ruleText).join('\n');
}

const ruleTexts = new WeakMap<RuleForm, string>();

function ruleText(rule: RuleForm): string {
  const before = ruleTexts.get(rule);
  if (before !== undefined) return before;
  const text = JSON.stringify([rule.comment ?? '', ...rule.expressions.map(fingerprint)]);
  ruleTexts.set(rule, text);
  return text;
}
