import Type from 'typebox';
import { type Parser, format, parser, sumOf } from './documents.js';

/** A policy as its author wrote it. What it says is for others to read. */
export interface PolicyText {
  /** Unique in the cluster. */
  readonly name: string;
  /** Names of the networks that it is for, so that one that can't be read can close these. */
  readonly networks: readonly string[];
  readonly text: string;
  /** The file it came from, and the line there at which the text begins, from 1. */
  readonly source: string;
  readonly line: number;
}

/** All policies of the cluster, as of one moment. */
export interface PolicySet {
  /** Counts up with each change; 0 before the first. */
  readonly version: number;
  readonly texts: ReadonlyMap<string, PolicyText>;
}

/** What there is: the sum of each policy's document, by name. A policy counts when it is in here. */
export interface PolicyIndex {
  readonly version: number;
  readonly sums: Readonly<Record<string, string>>;
}

/** Which version a host enforces on all its networks. */
export interface Enforced {
  readonly host: string;
  readonly version: number;
}

/** What a name may be: as src/policy has it, and no "@". */
const name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' });
const version = Type.Literal(1);
const count = Type.Integer({ minimum: 0 });

/** More are no longer read by anyone. */
export const MAX_POLICIES = 1000;

export const parsePolicyText: Parser<PolicyText> = parser(
  Type.Object({
    v: version,
    name,
    networks: Type.Array(name, { maxItems: 1000 }),
    text: Type.String({ maxLength: 1 << 20 }),
    source: Type.String({ maxLength: 4096 }),
    line: Type.Integer({ minimum: 1 }),
  }),
  ({ v: _, ...raw }) => raw,
);

export const parsePolicyIndex: Parser<PolicyIndex> = parser(
  Type.Object({
    v: version,
    version: count,
    sums: Type.Record(name, Type.String({ pattern: '^[A-Za-z0-9_-]{16}$' }), {
      maxProperties: MAX_POLICIES,
      additionalProperties: false,
    }),
  }),
  ({ v: _, ...raw }) => raw,
);

export const parseEnforced: Parser<Enforced> = parser(
  Type.Object({ v: version, host: Type.String({ pattern: '^[0-9a-z-]{1,64}$' }), version: count }),
  ({ v: _, ...raw }) => raw,
);

/** All of them in one text, for this host's own disk. */
export const parsePolicySet: Parser<PolicySet> = parser(
  Type.Object({ v: version, version: count, texts: Type.Array(Type.Unknown()) }),
  ({ version: at, texts }) => {
    const read = texts.map((each) => parsePolicyText(JSON.stringify(each)));
    if (read.some((each) => !each)) throw new TypeError('a policy is unreadable');
    return { version: at, texts: new Map(read.map((each) => [each!.name, each!])) };
  },
);

export function formatPolicySet({ version: at, texts }: PolicySet): string {
  const inOrder = [...texts.values()].toSorted((a, b) => Number(a.name > b.name) * 2 - 1);
  return format({ version: at, texts: inOrder.map((each) => ({ v: 1, ...each })) });
}

/** A policy's document, and the sum that tells it from others. */
export function policyDocument(policy: PolicyText): {
  readonly value: string;
  readonly sum: string;
} {
  const value = format(policy);
  return { value, sum: sumOf(value) };
}
