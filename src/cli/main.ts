#!/usr/bin/env node
/**
 * The `weft` command: runs the daemon, and asks a running one.
 *
 * Promises: exit codes as `weft --help` lists them; tables for people, JSON for programs; no color unless on a terminal. Does not:
 * know what the daemon's answers come from, or load the daemon for any command but `weft up`.
 */
import { setFlagsFromString } from 'node:v8';
import { run } from './program.js';

/**
 * The daemon is idle nearly always, and V8 spends memory to spare a busy program work. The part of the heap where objects begin keeps the
 * size that it has at first, 2 MiB, where it would grow to 32 for as long as the process lives; and what is dead is
 * looked for when the heap has grown by a third, not when it has doubled. Set before the daemon is loaded: loading it makes the heap grow.
 */
const HEAP = ['--semi-space-growth-factor=1', '--heap-growing-percent=30'];

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
  runDaemon: async (flags) => {
    for (const flag of HEAP) setFlagsFromString(flag);
    return (await import('../daemon/index.js')).runDaemon(flags);
  },
});
