// Edge: the Log port (shared/ports.ts) over pino, to stderr, one JSON object a line in printable ASCII: a log is read on terminals.
// Bodies and keys are never handed to a log; redaction is the second fence, for fields whose very name is a warning.
import { pino, type DestinationStream, type Logger } from 'pino';
import { escapeBeyondAscii } from '../../codec/foreign-text.ts';
import { silentLog, type Log } from '../../ports.ts';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const FORBIDDEN_FIELDS = [
  'body',
  'data',
  'holderSecretKey',
  'image',
  'invite',
  'key',
  'passphrase',
  'payload',
  'plaintext',
  'psk',
  'resume',
  'secret',
  'secretKey',
  'signature',
  'ticket',
] as const;

/**
 * The root logger of a process.
 * @param level `silent` gives a log that does nothing.
 * @param component name bound to every line, such as `relay`.
 * @param destination where lines go; stderr unless given.
 */
export function createLog(level: LogLevel, component: string, destination?: DestinationStream): Log {
  if (level === 'silent') return silentLog;
  const options = {
    level,
    base: { component },
    redact: { paths: [...FORBIDDEN_FIELDS], censor: '[withheld]' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const sink = destination ?? pino.destination({ dest: 2, sync: true });
  return overPino(pino(options, { write: (line) => sink.write(escapeBeyondAscii(line)) }));
}

function overPino(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => overPino(logger.child(fields)),
  };
}
