/** True when `pattern` describes all of `text`; `*` stands for any characters, `?` for one. Takes no more than the product of the lengths. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let i = 0; i < text.length;) {
    if (pattern[p] === '*') {
      star = p++;
      resume = i;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[i])) {
      p++;
      i++;
    } else if (star >= 0) {
      // The last star takes one character more; those before it need not be tried again.
      p = star + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
