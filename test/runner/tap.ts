/**
 * Reads what AVA writes with `--tap`, piece by piece, and counts. Lines that are no TAP pass by unseen.
 */
export interface TapCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TapListener {
  readonly passed?: (title: string) => void;
  /** `details` is the YAML block under the line, without its frame. */
  readonly failed?: (title: string, details: string) => void;
  /** What a test logged; it comes after the test's result. */
  readonly logged?: (text: string) => void;
  readonly other?: (line: string) => void;
}

const resultLine = /^(ok|not ok) \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/;

/** As AVA writes `t.log`; its own counts stand nearer. */
const logLine = /^# {3}(.+)$/;

export class TapReader {
  readonly #listener: TapListener;
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };
  #rest = '';
  #failure: { title: string; details: string[] } | undefined;
  #inDetails = false;

  constructor(listener: TapListener = {}) {
    this.#listener = listener;
  }

  get counts(): TapCounts {
    return { ...this.#counts };
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#read(line);
  }

  end(): void {
    this.write('\n');
    this.#reportFailure();
  }

  #read(line: string): void {
    if (this.#inDetails) {
      if (line === '  ...') this.#inDetails = false;
      else this.#failure?.details.push(line);
      return;
    }
    if (line === '  ---') {
      this.#inDetails = true;
      return;
    }
    const [, logged] = logLine.exec(line) ?? [];
    if (logged !== undefined) {
      this.#listener.logged?.(logged);
      return;
    }
    const [, verdict, title = '(no title)', directive] = resultLine.exec(line) ?? [];
    if (verdict === undefined) {
      if (!isFrame(line)) this.#listener.other?.(line);
      return;
    }
    this.#reportFailure();
    if (directive !== undefined) {
      this.#counts.skipped += 1;
    } else if (verdict === 'ok') {
      this.#counts.passed += 1;
      this.#listener.passed?.(title);
    } else {
      this.#counts.failed += 1;
      this.#failure = { title, details: [] };
    }
  }

  /** A failure is told once its details are complete, that is when the next result comes. */
  #reportFailure(): void {
    if (this.#failure === undefined) return;
    const { title, details } = this.#failure;
    this.#failure = undefined;
    this.#listener.failed?.(title, details.join('\n'));
  }
}

function isFrame(line: string): boolean {
  return line === '' || line === 'TAP version 13' || /^(1\.\.\d+$|# )/.test(line);
}
