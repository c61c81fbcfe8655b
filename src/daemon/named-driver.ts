import type {
  CallContext,
  CreateEndpointRequest,
  CreateNetworkRequest,
  JoinRequest,
  JoinResult,
  NetworkDriver,
} from '../plugin-api/index.js';
import { allDone } from '../util/index.js';
import type { Names } from './names.js';

/** The driver, and names kept up with what its calls did. A call never fails, and hardly waits, because of names. */
export class NamedDriver implements NetworkDriver {
  readonly #driver: NetworkDriver;
  readonly #names: Names;

  constructor(driver: NetworkDriver, names: Names) {
    this.#driver = driver;
    this.#names = names;
  }

  async createNetwork(request: CreateNetworkRequest, context: CallContext): Promise<void> {
    await this.#driver.createNetwork(request, context);
    this.#names.compare();
  }

  async deleteNetwork(networkId: string, context: CallContext): Promise<void> {
    await this.#driver.deleteNetwork(networkId, context);
    this.#names.compare();
  }

  async createEndpoint(
    request: CreateEndpointRequest,
    context: CallContext,
  ): Promise<Awaited<ReturnType<NetworkDriver['createEndpoint']>>> {
    return this.#driver.createEndpoint(request, context);
  }

  async deleteEndpoint(networkId: string, endpointId: string, call: CallContext): Promise<void> {
    this.#names.leave(endpointId);
    await this.#driver.deleteEndpoint(networkId, endpointId, call);
    this.#names.tellLocal(networkId);
  }

  async join(request: JoinRequest, context: CallContext): Promise<JoinResult> {
    const { networkId, endpointId, sandboxKey } = request;
    const joining = this.#driver.join(request, context);
    try {
      // Side by side: one waits for the store, the other for a namespace.
      await allDone([joining, this.#names.join(networkId, endpointId, sandboxKey)]);
    } catch (error) {
      this.#names.leave(endpointId);
      throw error;
    }
    return joining;
  }

  async leave(networkId: string, endpointId: string, context: CallContext): Promise<void> {
    this.#names.leave(endpointId);
    await this.#driver.leave(networkId, endpointId, context);
  }
}
