/**
 * Which layout of keys and documents the cluster's store has: its number is `v` of every document, and of the marker.
 *
 * A host writes the marker with its first announcement and looks at it before each. Whoever raises the layout writes the marker
 * and each `members/` document anew: every write of a host rests on its own, so that none succeeds before the host has looked
 * again; and one that knows no such layout is refused then, writes nothing more, and keeps its containers' traffic as it is.
 */
import type { Entry, Op } from '../store/index.js';
import { SCHEMA_VERSION, format, keys } from './documents.js';
import { layoutNewer } from './errors.js';

/** The number in a document's `v`; undefined for what has none. */
function layoutOf(text: string): number | undefined {
  try {
    const raw = JSON.parse(text) as { readonly v?: unknown } | null;
    return typeof raw?.v === 'number' ? raw.v : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a document that can't be read was written by a weft that knows more. */
export function isNewer(text: string): boolean {
  return (layoutOf(text) ?? 0) > SCHEMA_VERSION;
}

/** Throws LAYOUT_NEWER when it is. */
export function assertNotNewer({ key, value }: Entry): void {
  if (isNewer(value)) throw layoutNewer(key, layoutOf(value)!);
}

/** The step that makes the marker, where it is not there. Throws LAYOUT_NEWER. */
export function markLayout(marker: Entry | undefined): Op[] {
  if (marker) assertNotNewer(marker);
  if (marker && layoutOf(marker.value) !== undefined) return [];
  return [{ op: 'set', key: keys.layout, value: format({}), ifVersion: marker?.version ?? 0 }];
}
