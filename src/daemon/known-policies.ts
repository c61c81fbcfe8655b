import type { PolicySet, PolicyText } from '../cluster/index.js';
import { type Policy, type PolicyDocument, parsePolicies } from '../policy/index.js';
import { messageOf } from '../util/index.js';

/** A policy as its author wrote it, and what it says. */
export interface KnownPolicy {
  readonly written: PolicyText;
  /** Lines are those of the author's file. */
  readonly document: PolicyDocument;
}

/**
 * The cluster's policies, read. Of one that can't be read what was known before holds; where nothing was, it lets nothing pass on its
 * networks that others don't allow: a host that does not understand a policy must not open what it closes.
 */
export class KnownPolicies {
  readonly #onUnreadable: (name: string, reason: string | undefined) => void;
  #byName = new Map<string, KnownPolicy>();
  #version = 0;

  /** `onUnreadable`: with a reason when one can't be read, without when it can again. */
  constructor(onUnreadable: (name: string, reason: string | undefined) => void) {
    this.#onUnreadable = onUnreadable;
  }

  get version(): number {
    return this.#version;
  }

  /** By name. */
  all(): KnownPolicy[] {
    return [...this.#byName.values()].toSorted(
      (a, b) => Number(a.written.name > b.written.name) * 2 - 1,
    );
  }

  get(name: string): KnownPolicy | undefined {
    return this.#byName.get(name);
  }

  /** The policies of a network; the same objects for as long as they say the same. */
  of(network: string): Policy[] {
    return [...this.#byName.values()]
      .filter(({ document }) => document.networks.includes(network))
      .map(({ document }) => document.policy);
  }

  take({ version, texts }: PolicySet): void {
    const before = this.#byName;
    this.#version = version;
    this.#byName = new Map();
    for (const [name, written] of texts) {
      const known = before.get(name);
      const isSame = known !== undefined && sameText(known.written, written);
      this.#byName.set(name, isSame ? known : this.#read(written, known));
    }
  }

  #read(written: PolicyText, before: KnownPolicy | undefined): KnownPolicy {
    try {
      const document = readPolicy(written);
      this.#onUnreadable(written.name, undefined);
      return { written, document };
    } catch (error) {
      this.#onUnreadable(written.name, messageOf(error));
      // With the text that was not read, so that the next look reads it again.
      return { written, document: before?.document ?? closed(written) };
    }
  }
}

/** The one policy of a text, with the lines of its file. Throws INVALID_POLICY. */
export function readPolicy({ text, source, line, name }: PolicyText): PolicyDocument {
  const [document, ...more] = parsePolicies(text, source);
  if (document?.policy.name !== name || more.length > 0) {
    throw new Error(`the text is not that of the one policy "${name}"`);
  }
  return { ...document, ...linesFrom(document, line - 1) };
}

function linesFrom({ line, ruleLines: { ingress, egress } }: PolicyDocument, by: number) {
  const later = (lines: readonly number[]): number[] => lines.map((each) => each + by);
  return { line: line + by, ruleLines: { ingress: later(ingress), egress: later(egress) } };
}

function closed({ name, networks, source, line, text }: PolicyText): PolicyDocument {
  const policy: Policy = { name, tier: 'owner', endpoints: {}, ingress: [], egress: [] };
  return {
    policy,
    networks,
    source,
    text,
    textLine: line,
    line,
    ruleLines: { ingress: [], egress: [] },
  };
}

function sameText(a: PolicyText, b: PolicyText): boolean {
  return a.text === b.text && a.source === b.source && a.line === b.line;
}
