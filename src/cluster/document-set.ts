import { setImmediate as turn } from 'node:timers/promises';
import type { Snapshot } from '../store/index.js';
import type { Parser } from './documents.js';
import { isNewer } from './layout.js';

interface Kept<T> {
  readonly text: string;
  readonly value: T;
}

/** So long others wait while documents are parsed, and about as long again for what follows; one that is long is parsed at once all the same. */
const TURN_MS = 2;

/** Parsed documents under one prefix, kept up by a watch. Only what changed is parsed. */
export class DocumentSet<T> {
  readonly #kept = new Map<string, Kept<T>>();
  readonly #parse: Parser<T>;
  readonly #keyOf: (value: T) => string;
  readonly #onDamage: (key: string, isNewer: boolean) => void;

  /**
   * `keyOf`: where a document belongs; one that is elsewhere speaks for others and counts as damaged. Of one that a newer weft wrote,
   * what was known before holds.
   */
  constructor(
    parse: Parser<T>,
    keyOf: (value: T) => string,
    onDamage: (key: string, isNewer: boolean) => void,
  ) {
    this.#parse = parse;
    this.#keyOf = keyOf;
    this.#onDamage = onDamage;
  }

  get(key: string): T | undefined {
    return this.#kept.get(key)?.value;
  }

  values(): T[] {
    return Array.from(this.#kept.values(), ({ value }) => value);
  }

  /**
   * The keys whose document is another now; a document that was only written again is not among them. Many come in several portions,
   * each in a turn of its own, in which what follows from it should be done; the last may be empty.
   */
  async *apply({ entries, changed }: Snapshot): AsyncGenerator<string[], void> {
    let others: string[] = [];
    let begin = performance.now();
    for (const key of changed) {
      if (this.#set(key, entries.get(key)?.value)) others.push(key);
      if (performance.now() - begin < TURN_MS) continue;
      yield others;
      others = [];
      await turn();
      begin = performance.now();
    }
    yield others;
  }

  #set(key: string, text: string | undefined): boolean {
    const before = this.#kept.get(key);
    if (text === before?.text) return false;
    const value = text === undefined ? undefined : this.#read(key, text);
    if (text !== undefined && value === undefined && isNewer(text)) return false;
    if (text === undefined || value === undefined) return this.#kept.delete(key);
    this.#kept.set(key, { text, value });
    return true;
  }

  #read(key: string, text: string): T | undefined {
    const value = this.#parse(text);
    if (value !== undefined && this.#keyOf(value) === key) return value;
    this.#onDamage(key, isNewer(text));
    return undefined;
  }
}
