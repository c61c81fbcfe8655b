/** The words that are nearest to what was typed, if any is near enough to be meant. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(typed.length / 4));
  let best: string | undefined;
  let least = limit + 1;
  for (const word of words) {
    const edits = distance(typed.toLowerCase(), word.toLowerCase());
    if (edits < least) [best, least] = [word, edits];
  }
  return best;
}

/** The end of a complaint. */
export function didYouMean(word: string | undefined): string {
  return word === undefined ? '' : `, did you mean ${word}?`;
}

/** Letters to add, take away or replace, and neighbors to swap (optimal string alignment). */
function distance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, before[j - 2]! + 1);
      }
      row.push(edits);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
