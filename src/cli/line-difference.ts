/** So many lines of each are compared; the rest of a longer text is shown as another. */
const MAX_LINES = 2000;

/** What makes one text another, as diff shows it: `- ` what goes, `+ ` what comes, and nothing of what stays. */
export function lineDifference(before: string, after: string): string[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  const common = commonLengths(a, b);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lines.push(`- ${a[i]!}`);
      i += 1;
    } else {
      lines.push(`+ ${b[j]!}`);
      j += 1;
    }
  }
  return lines;
}

const linesOf = (text: string): string[] =>
  text === '' ? [] : text.trim().split('\n').slice(0, MAX_LINES);

/** At [i][j]: how many lines the two have in common, in order, from line i of one and line j of the other on. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint16Array[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [below, beside] = [lengths[i + 1]![j]!, lengths[i]![j + 1]!];
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(below, beside);
    }
  }
  return lengths;
}
