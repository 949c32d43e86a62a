// RFC 2217 as a server: negotiation, bit rate and format in band, data untouched (RFC 854, RFC 2217 §3).
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { EIGHT_NONE_ONE, type Format } from '../../../../sim/serial/character.ts';
import { Rfc2217Session } from '../../../../sim/serial/rfc2217.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (of: Uint8Array) => Buffer.from(of).toString('hex');

class Fixture {
  bitRate = 115_200;
  format: Format = EIGHT_NONE_ONE;
  breaks = 0;
  purges = 0;
  /** What happened, in order: data as hex, a bit rate as #number. */
  readonly seen: string[] = [];
  readonly replies: string[] = [];
  readonly session: Rfc2217Session;

  constructor() {
    const setBitRate = (bitRate: number) => {
      this.bitRate = bitRate;
      this.seen.push(`#${bitRate}`);
    };
    const bitRateOf = () => this.bitRate;
    const formatOf = () => this.format;
    const setFormat = (format: Format) => (this.format = format);
    const port = {
      get bitRate() {
        return bitRateOf();
      },
      set bitRate(bitRate: number) {
        setBitRate(bitRate);
      },
      get format() {
        return formatOf();
      },
      set format(format: Format) {
        setFormat(format);
      },
      sendBreak: () => void this.breaks++,
      purge: () => void this.purges++,
    };
    this.session = new Rfc2217Session(
      port,
      (reply) => this.replies.push(hex(reply)),
      (data) => this.seen.push(hex(data)),
    );
  }
  take(text: string): void {
    this.session.take(bytes(text));
  }
}

describe('RFC 2217', () => {
  it('agrees to binary, suppress go ahead and the com port option once each, and to nothing else', () => {
    const f = new Fixture();
    f.take('fffd00 fffb00 fffd03 fffb2c fffb2c fffd01 fffb18 fffe00 fffc2c');
    assert.deepEqual(f.replies, ['fffb00', 'fffd00', 'fffb03', 'fffd2c', 'fffc01', 'fffe18']);
    assert.deepEqual(f.seen, []);
  });

  it('sets the bit rate between the bytes around it and tells which is in force', () => {
    const f = new Fixture();
    f.take('41 fffa2c01 000e1000 fff0 42');
    f.take('fffa2c01 00000000 fff0');
    assert.deepEqual(f.seen, ['41', '#921600', '42']);
    assert.deepEqual(f.replies, ['fffa2c65000e1000fff0', 'fffa2c65000e1000fff0']);
  });

  it('doubles FF in data and in numbers, both ways', () => {
    const f = new Fixture();
    f.take('01 ffff 02 fffa2c01 0000ffff00 fff0');
    assert.deepEqual(f.seen, ['01ff02', '#65280']);
    assert.deepEqual(f.replies, ['fffa2c650000ffff00fff0']);
    assert.equal(hex(f.session.give(bytes('00ff41ffff'))), '00ffff41ffffffff');
  });

  it('sets parity and stop bits, sends a break, purges, says who it is', () => {
    const f = new Fixture();
    f.take('fffa2c0303fff0 fffa2c0402fff0 fffa2c0505fff0 fffa2c0c02fff0 fffa2c00fff0 fffa2c0207fff0');
    assert.deepEqual(f.format, { dataBits: 9, parity: 'even', stopBits: 2 });
    assert.equal(f.breaks, 1);
    assert.equal(f.purges, 1);
    const signature = Buffer.from('Blindflash virtual board').toString('hex');
    assert.deepEqual(f.replies, [
      'fffa2c6703fff0',
      'fffa2c6802fff0',
      'fffa2c6905fff0',
      'fffa2c7002fff0',
      `fffa2c64${signature}fff0`,
      'fffa2c6608fff0',
    ]);
  });

  it('takes any bytes in any pieces: data without FF arrives as it is, nothing throws, an endless option is dropped', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (pieces) => {
        const f = new Fixture();
        for (const piece of pieces) f.session.take(piece);
        assert.ok(f.seen.join('').length <= 2 * pieces.flatMap((piece) => [...piece]).length + 12 * f.replies.length);
      }),
    );
    const f = new Fixture();
    f.take(`fffa2c01${'00'.repeat(5000)}fff041`);
    assert.deepEqual(f.seen, ['41']);
    assert.equal(f.replies.length, 0);
  });
});
