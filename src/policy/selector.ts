import {
  type Prefix,
  parseAddressWithLength,
  prefixLengthOf,
  prefixOf,
  prefixesOverlap,
} from '../net/index.js';
import { messageOf } from '../util/index.js';
import type { AddressBlock, Requirement, Selector } from './model.js';
import type { SelectorForm } from './schema.js';
import type { Complain, Path } from './yaml.js';

/** A selector as a file has it, as the model has it. Complains about prefixes that are none. */
export function parseSelector(form: SelectorForm, path: Path, complain: Complain): Selector {
  const { labels, blocks, ...same } = form;
  return {
    ...same,
    ...(labels && { labels: requirementsOf(labels) }),
    ...(blocks && {
      blocks: blocks.flatMap((block, i) => parseBlock(block, [...path, 'blocks', i], complain)),
    }),
  };
}

function requirementsOf(labels: NonNullable<SelectorForm['labels']>): Requirement[] {
  return Object.entries(labels).flatMap(([key, demand]): Requirement[] => {
    if (typeof demand === 'string') return [{ key, op: 'in', values: [demand] }];
    const { in: listed, 'not-in': unlisted, exists } = demand;
    return [
      ...(listed ? [{ key, op: 'in', values: listed } as const] : []),
      ...(unlisted ? [{ key, op: 'not-in', values: unlisted } as const] : []),
      ...(exists === undefined ? [] : [{ key, op: exists ? 'exists' : 'absent' } as const]),
    ];
  });
}

type BlockForm = NonNullable<SelectorForm['blocks']>[number];

function parseBlock(
  { prefix: text, except = [] }: BlockForm,
  path: Path,
  complain: Complain,
): AddressBlock[] {
  const prefix = parsePrefix(text, [...path, 'prefix'], complain);
  const holes = except.flatMap((hole, i) => {
    const place = [...path, 'except', i];
    const parsed = parsePrefix(hole, place, complain);
    if (!parsed || !prefix) return [];
    if (!isWithin(parsed, prefix)) complain(place, `${hole} is not within ${prefix}`);
    return [parsed];
  });
  return prefix ? [{ prefix, except: holes }] : [];
}

const isWithin = (inner: Prefix, outer: Prefix): boolean =>
  prefixesOverlap(inner, outer) && prefixLengthOf(inner) >= prefixLengthOf(outer);

/** Host bits are a slip: which of the two was meant, only the writer knows. */
function parsePrefix(text: string, path: Path, complain: Complain): Prefix | undefined {
  try {
    const { address, prefixLength } = parseAddressWithLength(text);
    const prefix = prefixOf(address, prefixLength);
    if (prefix === `${address}/${prefixLength}`) return prefix;
    complain(path, `${text} has host bits set, did you mean ${prefix}?`);
  } catch (error) {
    complain(path, messageOf(error));
  }
  return undefined;
}
