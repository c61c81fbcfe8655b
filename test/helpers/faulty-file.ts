import { open } from 'node:fs/promises';
import type { JournalFile, JournalOptions } from '../../src/util/index.js';

type Call = 'write' | 'datasync' | 'sync' | 'truncate';

/** A disk that takes real files, and fails as it is told. */
export class FaultyDisk {
  /** Octets that still fit. A write beyond them takes what fits, then fails with ENOSPC. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** Calls that fail with EIO. */
  readonly failing = new Set<Call>();

  #released: Promise<void> = Promise.resolve();
  #onHang: () => void = () => undefined;
  #hanging: Promise<void> = Promise.resolve();

  /** From now on writes wait until the function that it returns is called. */
  hang(): () => void {
    let release = (): void => undefined;
    this.#released = new Promise((resolve) => (release = resolve));
    this.#hanging = new Promise((resolve) => (this.#onHang = resolve));
    return release;
  }

  /** Resolves when a write hangs. */
  async hanging(): Promise<void> {
    await this.#hanging;
  }

  readonly open: NonNullable<JournalOptions['openFile']> = async (path, flags, mode) => {
    const file = await open(path, flags, mode);
    const guarded = async <T>(call: Call, run: () => Promise<T>): Promise<T> => {
      if (this.failing.has(call)) throw failure('EIO', 'i/o error');
      return run();
    };
    const faulty: Pick<JournalFile, 'datasync' | 'sync' | 'truncate' | 'close'> & {
      write: (b: Buffer, at: number, length: number, position: number) => Promise<unknown>;
    } = {
      write: async (bytes, at, length, position) =>
        guarded('write', async () => {
          this.#onHang();
          await this.#released;
          const fits = Math.min(length, this.freeBytes);
          if (fits <= 0 && length > 0) throw failure('ENOSPC', 'no space left on device');
          this.freeBytes -= fits;
          return file.write(bytes, at, fits, position);
        }),
      datasync: async () => guarded('datasync', async () => file.datasync()),
      sync: async () => guarded('sync', async () => file.sync()),
      truncate: async (length) => guarded('truncate', async () => file.truncate(length)),
      close: async () => file.close(),
    };
    return faulty as JournalFile;
  };
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
