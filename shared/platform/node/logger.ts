// Edge: the Log port (shared/ports.ts) over pino, to stderr, one JSON object a line in printable ASCII: a log
// is read on terminals. Bodies and keys are never handed to a log; redaction is the second fence, for fields
// whose very name is a warning.
import { pino, type DestinationStream, type Logger } from 'pino';
import { cleanText, escapeBeyondAscii } from '../../codec/foreign-text.ts';
import { silentLog, type Log, type LogFields } from '../../ports.ts';

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
    debug: (fields, message) => logger.debug(clean(fields), cleanText(message)),
    info: (fields, message) => logger.info(clean(fields), cleanText(message)),
    warn: (fields, message) => logger.warn(clean(fields), cleanText(message)),
    error: (fields, message) => logger.error(clean(fields), cleanText(message)),
    child: (fields) => overPino(logger.child(clean(fields))),
  };
}

/** Longest text of a field, characters. */
const FIELD_CHARACTERS = 1000;

/** Whatever a field was made of, who reads the log later reads it on a terminal. */
function clean(fields: LogFields): LogFields {
  const cleaned = (value: LogFields[string]): LogFields[string] =>
    typeof value === 'string' ? cleanText(value, FIELD_CHARACTERS) : value;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, cleaned(value)]));
}
