import { BorrowedStore, type CallOptions, type Op, type Outcome } from '../../src/store/index.js';

interface Gate {
  readonly matches: (op: Op) => boolean;
  readonly arrived: () => void;
  readonly opened: Promise<void>;
}

/** One host's way to a store that others use too, which can be held up before a transaction. */
export class GatedStore extends BorrowedStore {
  #gate: Gate | undefined;

  /** Holds up the next transaction that has such an operation; `arrived` resolves when it is there, `open` lets it go on. */
  hold(matches: (op: Op) => boolean): {
    readonly arrived: Promise<void>;
    readonly open: () => void;
  } {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const arrived = new Promise<void>((resolve) => {
      this.#gate = { matches, opened, arrived: resolve };
    });
    return { arrived, open };
  }

  override async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    const gate = this.#gate;
    if (gate && ops.some(gate.matches)) {
      this.#gate = undefined;
      gate.arrived();
      await gate.opened;
    }
    return this.inner.transact(ops, options);
  }
}
