import {
  type EndpointRecord,
  type EndpointsDocument,
  type Parser,
  formatEndpoints,
  parseEndpoints,
} from './documents.js';

/**
 * What one host announces of itself on one network.
 *
 * A cluster may have 50,000 endpoints, and parsed they take three times the memory of their text, which is there anyhow. So it is
 * parsed when it comes, for all who want to know what changed, then settled; whoever asks later has it parsed anew.
 */
export class Announcement implements EndpointsDocument {
  readonly network: string;
  readonly host: string;
  /** How many endpoints it has; costs nothing to ask. */
  readonly count: number;
  readonly text: string;
  #endpoints: readonly EndpointRecord[] | undefined;

  private constructor(text: string, { network, host, endpoints }: EndpointsDocument) {
    this.network = network;
    this.host = host;
    this.count = endpoints.length;
    this.text = text;
    this.#endpoints = endpoints;
  }

  static readonly parse: Parser<Announcement> = (text) => {
    const document = parseEndpoints(text);
    return document && new Announcement(text, document);
  };

  /** What will be read when this is written. */
  static of(document: EndpointsDocument): Announcement {
    return new Announcement(formatEndpoints(document), document);
  }

  get endpoints(): readonly EndpointRecord[] {
    return this.#endpoints ?? parseEndpoints(this.text)?.endpoints ?? [];
  }

  /** Everybody knows it now. */
  settle(): void {
    this.#endpoints = undefined;
  }
}
