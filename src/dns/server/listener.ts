import { once } from 'node:events';
import type net from 'node:net';
import {
  Connection,
  type Datagrams,
  NETLINK,
  closeFd,
  forgetDatagrams,
  netnsIno,
  nft,
  openNetns,
} from '../../netlink/index.js';
import type { Zone } from '../zone/index.js';
import { Elsewhere } from './elsewhere.js';
import { Forwarder, type OnReply, type OpenSocket } from './forwarder.js';
import type { Sandbox } from './protocol.js';
import { failure, respond } from './respond.js';
import { RESOLVER, connectTcp, connectUdp, listenTcp, listenUdp } from './sockets.js';
import { type OpenStream, StreamForwarder } from './stream-forwarder.js';
import { StreamServer } from './streams.js';
import { resolverTable } from './table.js';

/**
 * Answers one container, in its namespace: two sockets, and the table that brings its questions to them. When it is closed, or the
 * process ends, the kernel removes the table and Docker's resolver is asked again.
 */
export class Listener implements AsyncDisposable {
  #sandbox: Sandbox;
  readonly #zone: Zone;
  readonly #netnsFd: number;
  readonly #forwarder: Forwarder;
  readonly #elsewhere: Elsewhere;
  readonly #streams: StreamServer;
  readonly #streamForwarder: StreamForwarder;
  #udp: Datagrams | undefined;
  #table: Connection | undefined;
  #isClosed = false;

  private constructor(netnsFd: number, sandbox: Sandbox, zone: Zone) {
    this.#netnsFd = netnsFd;
    this.#sandbox = sandbox;
    this.#zone = zone;
    this.#forwarder = new Forwarder(this.#servers());
    this.#elsewhere = new Elsewhere(this.#forwarder);
    this.#streamForwarder = new StreamForwarder(
      this.#streamServers(),
      () => this.#forwarder.preferred,
    );
    this.#streams = new StreamServer((message, reply) => this.#onStream(message, reply));
  }

  /** Throws what the kernel says: no such namespace, no loopback there yet, a table that is another's. Then nothing is changed. */
  static async open(sandbox: Sandbox, zone: Zone): Promise<Listener> {
    const listener = new Listener(openNetns(sandbox.path), sandbox, zone);
    try {
      await listener.#start();
      return listener;
    } catch (error) {
      await listener[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { datagrams, port } = listenUdp(this.#netnsFd, (...each) => this.#onDatagram(...each));
    this.#udp = datagrams;
    const { server } = this.#streams;
    listenTcp(this.#netnsFd, server);
    if (!server.listening) await once(server, 'listening');
    server.on('error', () => undefined);
    const tcpPort = (server.address() as net.AddressInfo).port;
    const options = { netns: this.#netnsFd, protocol: NETLINK.NETFILTER };
    this.#table = await Connection.open(options);
    await nft.replaceTable(this.#table, resolverTable(port, tcpPort));
    await forgetQuestions(this.#table);
  }

  /** Other networks, other upstreams. Docker's resolver too answers otherwise on other networks. */
  change(sandbox: Sandbox): void {
    const before = this.#sandbox;
    this.#sandbox = sandbox;
    if (JSON.stringify(sandbox) === JSON.stringify(before)) return;
    this.#forwarder.servers = this.#servers();
    this.#streamForwarder.servers = this.#streamServers();
    this.#elsewhere.forget();
  }

  #servers(): OpenSocket[] {
    const { upstreams = [] } = this.#sandbox;
    if (upstreams.length === 0) return [() => connectUdp(this.#netnsFd)];
    return upstreams.map((upstream) => () => connectUdp(this.#netnsFd, upstream));
  }

  #streamServers(): OpenStream[] {
    const { upstreams = [] } = this.#sandbox;
    if (upstreams.length === 0) return [() => connectTcp(this.#netnsFd)];
    return upstreams.map((upstream) => () => connectTcp(this.#netnsFd, upstream));
  }

  /** Of the namespace. */
  get ino(): bigint {
    return netnsIno(this.#netnsFd);
  }

  sweep(): void {
    this.#forwarder.sweep();
    this.#elsewhere.sweep();
  }

  #onDatagram(message: Uint8Array, datagrams: Datagrams): Uint8Array | undefined {
    const response = respond(message, this.#zone, this.#sandbox.networks, 'udp');
    if (response === undefined) return undefined;
    if ('reply' in response) return response.reply;
    // What came is the batch's, and is used again.
    const forward = { ...response.forward, message: Uint8Array.from(message) };
    const peer = datagrams.peer();
    this.#elsewhere.ask(forward, (reply) => datagrams.send(reply ?? failure(forward), peer));
    return undefined;
  }

  #onStream(message: Uint8Array, reply: OnReply): void {
    const response = respond(message, this.#zone, this.#sandbox.networks, 'tcp');
    if (response === undefined || this.#isClosed) return reply(undefined);
    if ('reply' in response) return reply(response.reply);
    // What came is the connection's, and is used again.
    const forward = { ...response.forward, message: Uint8Array.from(response.forward.message) };
    this.#streamForwarder.ask(forward, (answer) => reply(answer ?? failure(forward)));
  }

  /** Who keeps a socket for long asks Docker's resolver from now on. */
  async #handBack(): Promise<void> {
    if (!this.#table) return;
    const options = { netns: this.#netnsFd, protocol: NETLINK.NETFILTER };
    const conn = await Connection.open(options).catch(() => undefined);
    if (conn) await forgetQuestions(conn);
    await conn?.close();
  }

  /** The table first, so that no question comes to a closed socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#table?.close();
    await this.#handBack();
    this.#udp?.close();
    this.#forwarder.close();
    this.#streams.closeAll();
    this.#streamForwarder.close();
    closeFd(this.#netnsFd);
  }
}

/**
 * The kernel asks nat's rules once for a connection, and to it all that comes from one socket is one: without this, who asked before
 * would ask for ever where he asked then. Where the kernel can't be told, that is so.
 */
async function forgetQuestions(conn: Connection): Promise<void> {
  await forgetDatagrams(conn, RESOLVER).catch(() => undefined);
}
