/** YAML, and so JSON, with the place of everything in it. The only user of `yaml`. */
import {
  type Document,
  LineCounter,
  type Node,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseAllDocuments,
  visit,
} from 'yaml';
import { type Complaint, invalidPolicy } from './errors.js';

/** Where something is in a document: keys and indexes from the outside in. */
export type Path = readonly (string | number)[];
export type Place = Pick<Complaint, 'line' | 'column'>;

/** Says that something at this path is not right. */
export type Complain = (path: Path, text: string) => void;

/** One document of a file, as plain values. */
export interface YamlDocument {
  readonly value: unknown;
  /** As it was written, with the comments before it; and the line of the file at which that begins. */
  readonly text: string;
  readonly line: number;
  /** Of the key or the item that `path` leads to, or of the innermost around it that is there. */
  readonly placeOf: (path: Path) => Place;
}

/** A file that people write is far smaller. */
const MAX_OCTETS = 1 << 20;

/** Documents of a file, those left out that hold nothing. Throws INVALID_POLICY for what is no YAML. */
export function parseYaml(text: string, source: string): YamlDocument[] {
  if (Buffer.byteLength(text) > MAX_OCTETS) {
    throw invalidPolicy(source, [{ line: 1, column: 1, text: 'the file is larger than 1 MiB' }]);
  }
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  if ('empty' in documents) return [];
  // A warning is about a tag that nobody knows: its value is not what was meant either.
  const broken = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (broken.length > 0) {
    const complaints = broken.map(({ pos, message }) => ({
      ...placeAt(pos[0]),
      text: sentence(message),
    }));
    throw invalidPolicy(source, complaints);
  }
  const ends = [0, ...documents.map(({ range }) => range[2])];
  return documents.flatMap((document, i) => {
    if (isEmpty(document)) return [];
    return {
      value: valueOf(document, source, placeAt),
      text: text.slice(ends[i], ends[i + 1]),
      line: placeAt(ends[i]!).line,
      placeOf: (path: Path) => placeAt(offsetOf(document, path)),
    };
  });
}

const isEmpty = ({ contents }: Document): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);

/** As our own messages are: no capital, no full stop. */
function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
}

function valueOf(document: Document, source: string, placeAt: (offset: number) => Place): unknown {
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return;
      const text = `there is nothing called &${alias.source} before this`;
      throw invalidPolicy(source, [{ ...placeAt(startOf(alias) ?? 0), text }]);
    },
  });
  try {
    // Bounded, for aliases of aliases grow without end.
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    const place = placeAt(startOf(document.contents) ?? 0);
    const text = cause instanceof Error ? sentence(cause.message) : String(cause);
    throw invalidPolicy(source, [{ ...place, text }]);
  }
}

const startOf = (node: unknown): number | undefined =>
  isNode(node) ? (node as Node).range?.[0] : undefined;

function offsetOf(document: Document, path: Path): number {
  let offset = startOf(document.contents) ?? 0;
  let node: unknown = document.contents;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => String(isScalar(key) ? key.value : key) === String(part),
      );
      if (!pair) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      if (node === undefined) break;
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}
