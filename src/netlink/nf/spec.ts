/** What a table shall hold, in words; table.ts makes it so. */
import { type DataTypeName, type Key } from './data-type.js';
import { type Statement } from './statement.js';
import { type NfFamily } from './wire.js';

export interface TableRef {
  readonly family: NfFamily;
  readonly name: string;
}

/** Everything in the table: what is not here shall not be there. Comments are at most 127 octets, and `nft` prints them. */
export interface TableSpec extends TableRef {
  readonly comment?: string | undefined;
  readonly sets?: readonly SetSpec[] | undefined;
  readonly chains: readonly ChainSpec[];
  /**
   * The table belongs to the connection that makes it: nobody else can change or flush it, and it goes when the connection is
   * closed, however that happens. Linux 5.12 and later; EOPNOTSUPP before. For replaceTable.
   */
  readonly owned?: boolean | undefined;
}

export interface ChainSpec {
  readonly name: string;
  readonly comment?: string | undefined;
  /** Absent for a chain that others jump to. */
  readonly base?: BaseChain | undefined;
  readonly rules: readonly RuleSpec[];
}

/** Where the kernel runs the chain. */
export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  /** Lower runs first. */
  readonly priority: number;
  /** What becomes of a packet that no rule decides; default: accept. */
  readonly policy?: 'accept' | 'drop' | undefined;
  /**
   * Names of links, for ingress only. From Linux 6.16 on a link may come and go; before, a name without a link is ENOENT,
   * and the chain goes with its last link.
   */
  readonly devices?: readonly string[] | undefined;
}

export interface RuleSpec {
  readonly comment?: string | undefined;
  readonly statements: readonly Statement[];
}

/** A rule: its statements run from left to right until one does not match. */
export function rule(comment: string | undefined, ...statements: readonly Statement[]): RuleSpec {
  return { comment, statements };
}

/** A set, or a map from keys to verdicts, marks or priorities. */
export interface SetSpec {
  readonly name: string;
  /** One type, or several for keys that are concatenations. */
  readonly type: readonly DataTypeName[];
  readonly holds?: 'keys' | 'verdicts' | 'marks' | 'priorities' | undefined;
  readonly comment?: string | undefined;
  readonly elements?: readonly ElementSpec[] | undefined;
}

export interface ElementSpec {
  readonly key: Key;
  /** In a map of verdicts only, and there always. */
  readonly verdict?: Verdict | undefined;
  /** In a map of marks or priorities only, and there always; 32 bits. */
  readonly mark?: number | undefined;
  readonly comment?: string | undefined;
}

export type Verdict =
  | 'accept'
  | 'drop'
  | 'return'
  | { readonly jump: string }
  | { readonly goto: string };
