import { constants } from 'node:fs';
import { type FileHandle, link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FORMAT, encodeLine, header, scanJournal } from './journal-format.js';
import { StateError } from './state-errors.js';

/** Below this a journal is not worth rewriting. */
const MIN_REWRITE_BYTES = 1 << 20;

/** What was wrong with a journal when it was opened. */
export interface JournalDamage {
  readonly path: string;
  /**
   * `torn`: the last write was cut short, as by a power cut; nothing acknowledged is lost. `corrupt`: acknowledged
   * records, or the header, are damaged; the file was set aside and a new one made of what is good.
   */
  readonly kind: 'torn' | 'corrupt';
  readonly keptRecords: number;
  /** Acknowledged records known to be lost; damage to the very last write can't be told from `torn`. */
  readonly lostRecords: number;
  /** Where the corrupt file is now. */
  readonly setAside?: string;
}

/** The part of a FileHandle that a journal needs; tests open files that fail. */
export type JournalFile = Pick<FileHandle, 'write' | 'datasync' | 'sync' | 'truncate' | 'close'>;

export interface JournalOptions {
  readonly path: string;
  /** Hears each record in order. When it throws, the record counts as damaged. */
  readonly replay: (record: string) => void;
  readonly onDamage?: (damage: JournalDamage) => void;
  readonly openFile?: (path: string, flags: number, mode: number) => Promise<JournalFile>;
}

/**
 * An append-only file of text records that survives crashes, full disks and bad blocks.
 *
 * A record is on disk when `append` resolves; a failed append leaves nothing behind. `rewrite` replaces all records at
 * once, atomically. Calls run one after another; many records in one call share one disk write. The owner keeps two
 * processes from opening one journal (see DirectoryLock). Errors of the file system pass as they are.
 */
export class Journal implements AsyncDisposable {
  readonly #path: string;
  readonly #openFile: NonNullable<JournalOptions['openFile']>;
  #file: JournalFile | undefined;
  #bytes = 0;
  #sequence = 0;
  #rewriteAt = MIN_REWRITE_BYTES;
  #broken: unknown;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(options: JournalOptions) {
    this.#path = options.path;
    this.#openFile = options.openFile ?? open;
  }

  /** Opens or creates (mode 0600). Throws JOURNAL_TOO_NEW for a file of a later weft. */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options);
    try {
      await journal.#load(options);
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  /** True when so much was appended since the last rewrite that another one pays, and after an append that could not be undone. */
  get wantsRewrite(): boolean {
    return this.isBroken || this.#bytes > this.#rewriteAt;
  }

  /** True after an append failed and could not be undone: appends throw JOURNAL_BROKEN until a rewrite succeeds. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** Resolves when the records are on disk, all or (when it rejects) none of them. */
  async append(records: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#append(records));
  }

  /** Replaces all records. When it rejects before the new file took its place, the old one stays in use. */
  async rewrite(records: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#rewrite(records));
  }

  /** Waits for calls under way. Closing twice is fine. */
  async close(): Promise<void> {
    await this.#tail;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #inTurn(run: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(run);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #load({ replay, onDamage }: JournalOptions): Promise<void> {
    await rm(this.#temporary, { force: true });
    const bytes = await readIfThere(this.#path);
    if (!bytes) return this.#rewrite([]);
    const scan = scanJournal(bytes);
    if (scan.format !== undefined && scan.format !== FORMAT) {
      throw new StateError(
        { code: 'JOURNAL_TOO_NEW', path: this.#path, format: scan.format },
        `${this.#path} has format ${scan.format}, this weft knows ${FORMAT}; install the weft that wrote it`,
      );
    }
    const kept = scan.records.filter((record) => accepts(replay, record));
    const lostRecords = scan.lost + scan.records.length - kept.length;
    const damage = { path: this.#path, keptRecords: kept.length, lostRecords };
    if (lostRecords > 0 || scan.format === undefined) {
      // A link first: whenever this is interrupted, the journal's own name leads to the old file or to the new one.
      const setAside = await linkAside(this.#path);
      await this.#rewrite(kept);
      onDamage?.({ ...damage, kind: 'corrupt', setAside });
      return;
    }
    this.#file = await this.#openFile(this.#path, constants.O_WRONLY | constants.O_DSYNC, 0o600);
    this.#bytes = scan.goodBytes;
    this.#sequence = scan.sequence;
    if (scan.goodBytes === bytes.length) return;
    await this.#cutBack();
    onDamage?.({ ...damage, kind: 'torn' });
  }

  async #append(records: readonly string[]): Promise<void> {
    const file = this.#opened();
    if (this.isBroken) {
      throw new StateError(
        { code: 'JOURNAL_BROKEN', path: this.#path },
        `${this.#path} could not be put back after a failed write`,
        { cause: this.#broken },
      );
    }
    let text = '';
    for (const [i, record] of records.entries()) {
      text += encodeLine(this.#sequence + 1 + i, this.#sequence, record);
    }
    const bytes = Buffer.from(text);
    try {
      await writeAll(file, bytes, this.#bytes);
    } catch (error) {
      await this.#cutBack().catch((reason: unknown) => (this.#broken = reason));
      throw error;
    }
    this.#bytes += bytes.length;
    this.#sequence += records.length;
  }

  /** Makes the file end where the last good record does, on disk too. */
  async #cutBack(): Promise<void> {
    const file = this.#opened();
    await file.truncate(this.#bytes);
    await file.datasync();
  }

  async #rewrite(records: readonly string[]): Promise<void> {
    // Tried again only after as much more again, so that a full disk does not cost a rewrite with each append.
    this.#rewriteAt = this.#bytes + MIN_REWRITE_BYTES;
    let text = header;
    for (const [i, record] of records.entries()) text += encodeLine(i + 1, records.length, record);
    const bytes = Buffer.from(text);
    const file = await this.#replaceFile(bytes);
    const old = this.#file;
    this.#file = file;
    this.#bytes = bytes.length;
    this.#sequence = records.length;
    this.#rewriteAt = Math.max(MIN_REWRITE_BYTES, 2 * bytes.length);
    // Until the directory is on disk a crash may bring the old file back, without what is appended to the new one.
    this.#broken = new Error('the directory is not on disk');
    await old?.close();
    await syncDirectory(dirname(this.#path));
    this.#broken = undefined;
  }

  async #replaceFile(bytes: Buffer): Promise<JournalFile> {
    const { O_CREAT, O_TRUNC, O_WRONLY, O_DSYNC } = constants;
    const flags = O_CREAT | O_TRUNC | O_WRONLY | O_DSYNC;
    const file = await this.#openFile(this.#temporary, flags, 0o600);
    try {
      await writeAll(file, bytes, 0);
      await file.sync();
      await rename(this.#temporary, this.#path);
      return file;
    } catch (error) {
      await file.close();
      await rm(this.#temporary, { force: true });
      throw error;
    }
  }

  get #temporary(): string {
    return `${this.#path}.tmp`;
  }

  #opened(): JournalFile {
    if (this.#file) return this.#file;
    throw new StateError(
      { code: 'JOURNAL_CLOSED', path: this.#path },
      `the journal ${this.#path} is closed`,
    );
  }
}

function accepts(replay: (record: string) => void, record: string): boolean {
  try {
    replay(record);
    return true;
  } catch {
    return false;
  }
}

/** The file is open with O_DSYNC: what `write` says is written is on disk. */
async function writeAll(file: JournalFile, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the file system took no bytes');
    done += bytesWritten;
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** How many files may be set aside in one millisecond. */
const MAX_NAMESAKES = 100;

/** Gives the file a second name that tells when, and that no other has. */
async function linkAside(path: string): Promise<string> {
  const name = `${path}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`;
  for (let i = 1; ; i += 1) {
    const aside = i === 1 ? name : `${name}-${i}`;
    try {
      await link(path, aside);
      return aside;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!isTaken || i === MAX_NAMESAKES) throw error;
    }
  }
}

/** Puts creations and renames in a directory on disk. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
