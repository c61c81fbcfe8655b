#!/usr/bin/env node
/**
 * The `weft` command: runs the daemon, and asks a running one.
 *
 * Promises: exit codes as `weft --help` lists them; tables for people, JSON for programs; no color unless on a terminal. Does not:
 * know what the daemon's answers come from, or load the daemon for any command but `weft up` and `weft names`.
 */
import { keepHeapSmall } from '../util/index.js';

// Before all else is loaded: what the daemon's heap has grown to by then it keeps.
keepHeapSmall();
const { run } = await import('./program.js');

const { stdout, stderr, env } = process;
const ended = new AbortController();

// `weft network ls | head` is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  ended.abort();
});

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  color: stdout.isTTY && env['NO_COLOR'] === undefined && env['TERM'] !== 'dumb',
  ended: ended.signal,
  runDaemon: async (flags) => (await import('../daemon/index.js')).runDaemon(flags),
  runNames: async (flags) => (await import('../daemon/index.js')).runNames(flags),
});
