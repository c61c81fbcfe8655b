import { type Logger, type LoggerOptions, pino } from 'pino';
import { AppError } from '../util/index.js';
import type { Config } from './config.js';

/** Fixed sentences in lower case; what varies goes into the object. error: a person must act; warn: weft retries or degrades. */
export type Log = Logger;

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

const BASE = new Set(['level', 'time', 'msg', 'component']);

export function createLog(
  { level, format }: Config['log'],
  output: NodeJS.WritableStream = process.stderr,
): Log {
  const options: LoggerOptions = {
    level,
    base: null,
    serializers: { err: serializeError },
  };
  if (format === 'json')
    return pino({ ...options, timestamp: pino.stdTimeFunctions.isoTime }, output);
  return pino(options, { write: (line: string) => void output.write(`${textLine(line)}\n`) });
}

/** An error as its code and words; the stack only where nobody foresaw it. */
function serializeError(error: unknown): unknown {
  if (error instanceof AppError) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { message: String(error) };
  return { message: error.message, stack: error.stack };
}

function textLine(json: string): string {
  const record = JSON.parse(json) as Record<string, unknown>;
  const time = new Date(record['time'] as number).toISOString();
  const level = (LEVELS[record['level'] as number] ?? '').padEnd(5);
  const component = textValue(record['component'] ?? '').padEnd(8);
  const rest = Object.entries(record)
    .filter(([key]) => !BASE.has(key))
    .map(([key, value]) => `${key}=${textValue(value)}`);
  return [time, level, component, record['msg'], ...rest].join(' ').trimEnd();
}

function textValue(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) {
    const { message, stack } = value as { message: unknown; stack?: unknown };
    return JSON.stringify(stack ?? message);
  }
  return typeof value === 'string' && /^[^\s"=]*$/.test(value) ? value : JSON.stringify(value);
}
