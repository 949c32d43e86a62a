// firmware/common/serial.h: the serial link between agent and loader, from shared/serial/packets.ts.
import {
  AGAIN,
  BAUD,
  BAUD_RATES,
  CODED_MOST,
  FRAME_BYTES,
  IDENT,
  IDENT_FLAGS,
  IDENT_FORMAT,
  KNOCK,
  LINK_LIMITS,
  LINK_TIMES,
  PACKET_MOST,
  PACKETS,
  SEQUENCE_BYTES,
  STATUS,
  STATUS_BITS,
  type PacketRow,
} from '../shared/serial/packets.ts';
import { counts, defines, enumeration, guarded, rows, upper, type Row } from './c-header.ts';

interface BodyField {
  readonly offset: number;
  readonly size: number;
  readonly what: string;
}

const fieldRows = (prefix: string, fields: Readonly<Record<string, BodyField>>): Row[] => [
  ...Object.entries(fields).map(([name, field]): Row => [`${prefix}_AT_${upper(name)}`, field.offset, field.what]),
  [`${prefix}_SIZE`, Math.max(...Object.values(fields).map(({ offset, size }) => offset + size))],
];

/** Sizes of a body: _SIZE where there is one, else _LEAST and _MOST. */
const sizeRows = ([name, { sizes }]: readonly [string, PacketRow]): Row[] => {
  const [least, most] = 'least' in sizes ? [sizes.least, sizes.most] : [Math.min(...sizes), Math.max(...sizes)];
  const packet = `PACKET_${upper(name)}`;
  if (least === most) return [[`${packet}_SIZE`, most]];
  return [
    [`${packet}_LEAST`, least],
    [`${packet}_MOST`, most],
  ];
};

const SERIAL_SECTIONS = [
  enumeration(
    'packet_type',
    'First byte of a packet; bit 7 is set in what the loader sends',
    Object.entries(PACKETS).map(([name, { type, what }]): Row => [`PACKET_${upper(name)}`, type, what]),
  ),
  counts([
    'Bytes around a body, and of a packet before and after COBS (without its zero), at most',
    [...rows('PACKET_BYTES', FRAME_BYTES), ['PACKET_MOST', PACKET_MOST], ['PACKET_CODED_MOST', CODED_MOST]],
  ]),
  counts([
    'Bytes of a body; COMMAND, FRAME and M1 have one of two sizes, JOB and FILE a multiple of four',
    Object.entries(PACKETS).flatMap(sizeRows),
  ]),
  counts([
    'Bytes of the sequence before what COMMAND, ENTRIES, FRAME and REPLY carry',
    [['SEQUENCE_SIZE', SEQUENCE_BYTES]],
  ]),
  counts(['IDENT', [['IDENT_FORMAT', IDENT_FORMAT], ...fieldRows('IDENT', IDENT)]]),
  defines(['IDENT: flags', rows('IDENT_FLAG', IDENT_FLAGS)]),
  counts(['STATUS', fieldRows('LINK_STATUS', STATUS)]),
  defines(['STATUS: bits of its first byte', rows('LINK_STATUS', STATUS_BITS)]),
  counts(['AGAIN', fieldRows('AGAIN', AGAIN)]),
  counts(['BAUD', fieldRows('BAUD', BAUD)]),
  counts([
    'The knock: bytes by which the bit time is measured, then its name',
    [
      ['KNOCK_MEASURED', KNOCK.measured.length, 'bytes of KNOCK_MEASURED_BYTE'],
      ['KNOCK_MEASURED_BYTE', KNOCK.measured[0] as number],
      ['KNOCK_NAME', KNOCK.name],
      ['BAUD_FIRST', BAUD_RATES.first],
    ],
  ]),
  counts(['Limits', rows('LINK', LINK_LIMITS)]),
  counts(['Times, milliseconds', rows('LINK_MS', LINK_TIMES)]),
];

/** The text of firmware/common/serial.h. */
export const serialHeader = (): string => guarded('BF_SERIAL_H', SERIAL_SECTIONS);
