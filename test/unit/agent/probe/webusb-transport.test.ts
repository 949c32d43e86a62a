// Proves: the USB transport asks in whole packets, believes no length, keeps its deadlines and comes back clean.
import { ManualClock, settle } from '../../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { WebUsbTransport } from '../../../../agent/probe/stlink/webusb-transport.ts';
import type {
  UsbConfigurationLike,
  UsbDeviceLike,
  UsbInResult,
  UsbOutResult,
} from '../../../../agent/probe/usb/usb-device.ts';
import { serialFromDescriptor } from '../../../../agent/probe/stlink/serial.ts';
import { usbError } from '../../../../agent/probe/usb/usb-errors.ts';
import type { ErrorCode } from '../../../../shared/errors/errors.ts';
import { bytes, hex, padded, rejectsWith } from './support.ts';

type Answer = Uint8Array | { readonly status: string } | Error;

/**
 * A device whose IN pipe holds a queue of packets; requests without one stay pending until one comes or it is closed.
 */
class FakeDevice implements UsbDeviceLike {
  readonly vendorId = 0x0483;
  readonly productId: number;
  serialNumber: string | null = null;
  configuration: UsbConfigurationLike | null = null;
  readonly calls: string[] = [];
  /** Replies by command, hex of the leading bytes. */
  readonly answers = new Map<string, Answer>();
  descriptor: Uint8Array | Error = new Error('no descriptor');
  stuckOut = false;
  failClaim: Error | undefined;
  #packets: Answer[] = [];
  #readers: { take: (answer: Answer) => void; drop: () => void }[] = [];
  readonly #configured: UsbConfigurationLike;

  constructor(productId = 0x3748, packetSize = 64, numbers = { out: 2, in: 1 }) {
    this.productId = productId;
    const end = (
      endpointNumber: number,
      direction: 'in' | 'out',
    ): UsbConfigurationLike['interfaces'][0]['alternate']['endpoints'][0] => {
      return { endpointNumber, direction, type: 'bulk', packetSize };
    };
    const endpoints = [end(numbers.in, 'in'), end(numbers.out, 'out'), end(3, 'in')];
    this.#configured = { configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternate: { endpoints } }] };
  }

  async open(): Promise<void> {
    this.calls.push('open');
  }
  async close(): Promise<void> {
    this.calls.push('close');
    for (const reader of this.#readers.splice(0)) reader.drop();
  }
  async reset(): Promise<void> {
    this.calls.push('reset');
  }
  async selectConfiguration(value: number): Promise<void> {
    this.calls.push(`configuration ${value}`);
    this.configuration = this.#configured;
  }
  async claimInterface(): Promise<void> {
    this.calls.push('claim');
    if (this.failClaim !== undefined) throw this.failClaim;
  }
  async releaseInterface(): Promise<void> {
    this.calls.push('release');
  }
  async controlTransferIn(): Promise<UsbInResult> {
    if (this.descriptor instanceof Error) throw this.descriptor;
    return { status: 'ok', data: new DataView(this.descriptor.slice().buffer) };
  }

  async transferOut(endpointNumber: number, data: Uint8Array): Promise<UsbOutResult> {
    if (this.stuckOut) return new Promise(() => {});
    this.calls.push(`out ${endpointNumber} ${data.length}`);
    for (const [command, answer] of this.answers) {
      if (data.length === 16 && hex(data).startsWith(command)) this.say(answer);
    }
    return { status: 'ok', bytesWritten: data.length };
  }

  transferIn(endpointNumber: number, length: number): Promise<UsbInResult> {
    this.calls.push(`in ${endpointNumber} ${length}`);
    return new Promise((resolve, reject) => {
      const take = (answer: Answer): void => {
        if (answer instanceof Error) return reject(answer);
        if (!(answer instanceof Uint8Array)) return resolve({ status: answer.status });
        // A request smaller than the queued answer takes its packets and leaves the rest.
        if (answer.length > length) this.#packets.unshift(answer.slice(length));
        resolve({ status: 'ok', data: new DataView(answer.slice(0, length).buffer) });
      };
      const next = this.#packets.shift();
      if (next !== undefined) take(next);
      else this.#readers.push({ take, drop: () => reject(new Error('AbortError')) });
    });
  }

  say(answer: Answer): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#packets.push(answer);
    else reader.take(answer);
  }
}

interface Fixture {
  readonly device: FakeDevice;
  readonly clock: ManualClock;
  readonly transport: WebUsbTransport;
}

async function opened(device = new FakeDevice()): Promise<Fixture> {
  const clock = new ManualClock(0);
  const transport = new WebUsbTransport(device, { clock });
  const opening = transport.open();
  await clock.advance(25);
  await opening;
  return { device, clock, transport };
}

const ask = (transport: WebUsbTransport, command: string, length: number): Promise<Uint8Array> =>
  transport.exchange(padded(command), undefined, length, 100);

describe('ST-LINK over WebUSB: framing', () => {
  it('configures an unconfigured device, claims interface 0, and takes endpoint numbers from the descriptor', async () => {
    const { device, transport } = await opened(new FakeDevice(0x3748, 64, { out: 5, in: 6 }));
    assert.deepEqual(device.calls, ['open', 'configuration 1', 'claim', 'in 6 64']);
    device.answers.set('F1', bytes('29 47 83 04 48 37'));
    assert.equal(hex(await ask(transport, 'F1', 6)), '29 47 83 04 48 37');
    assert.ok(device.calls.includes('out 5 16'));
  });

  for (const [productId, out] of [
    [0x3748, 2],
    [0x374b, 1],
    [0x374f, 1],
  ]) {
    it(`falls back to the table for ${productId.toString(16)}`, async () => {
      const device = new FakeDevice(productId);
      device.configuration = { configurationValue: 1, interfaces: [] };
      const { transport } = await opened(device);
      device.answers.set('F5', bytes('01 00'));
      await ask(transport, 'F5', 2);
      assert.deepEqual(device.calls.slice(-2), ['in 1 64', `out ${out} 16`]);
    });
  }

  for (const [packet, length, asked] of [
    [64, 12, 64],
    [64, 88, 128],
    [64, 6144, 6144],
    [512, 12, 512],
    [512, 6144, 6144],
  ]) {
    it(`asks ${asked} bytes for a reply of ${length} in packets of ${packet}`, async () => {
      const { device, transport } = await opened(new FakeDevice(0x374f, packet));
      device.answers.set('F5', bytes('01 00'));
      await ask(transport, 'F5', 2);
      device.answers.set('F2 07', new Uint8Array(length).fill(7));
      assert.equal((await ask(transport, 'F2 07', length)).length, length);
      assert.equal(device.calls.at(-1), `in 1 ${asked}`);
    });
  }

  it('lets the request left over from draining take the first packet of a long reply', async () => {
    const { device, transport } = await opened();
    const long = Uint8Array.from({ length: 100 }, (_, index) => index);
    device.answers.set('F2 07', long);
    assert.equal(hex(await ask(transport, 'F2 07', 100)), hex(long));
  });

  it('throws leftovers of an earlier user away', async () => {
    const device = new FakeDevice();
    device.say(bytes('DE AD'));
    device.say(new Uint8Array());
    device.say(bytes('BE EF'));
    const { transport } = await opened(device);
    device.answers.set('F5', bytes('01 00'));
    assert.equal(hex(await ask(transport, 'F5', 2)), '01 00');
  });

  it('sends data after the command and asks nothing when nothing comes', async () => {
    const { device, transport } = await opened();
    const before = device.calls.length;
    assert.equal((await transport.exchange(padded('F2 08'), new Uint8Array(12), 0, 100)).length, 0);
    assert.deepEqual(device.calls.slice(before), ['out 2 16', 'out 2 12']);
  });

  it('carries one exchange at a time', async () => {
    const { device, transport } = await opened();
    const first = ask(transport, 'F5', 2);
    const second = ask(transport, 'F1', 6);
    await settle();
    assert.equal(device.calls.filter((call) => call === 'out 2 16').length, 1);
    device.answers.set('F1', bytes('29 47 83 04 48 37'));
    device.say(bytes('01 00'));
    assert.equal(hex(await first), '01 00');
    assert.equal((await second).length, 6);
  });
});

describe('ST-LINK over WebUSB: trouble', () => {
  const GARBAGE: readonly (readonly [what: string, answer: Answer, code: ErrorCode])[] = [
    ['a short reply', bytes('01'), 'BF-PROBE-GARBAGE'],
    ['a long reply', bytes('01 02 03'), 'BF-PROBE-GARBAGE'],
    ['an empty reply', new Uint8Array(), 'BF-PROBE-GARBAGE'],
    ['a stall', { status: 'stall' }, 'BF-PROBE-GARBAGE'],
    ['babble', { status: 'babble' }, 'BF-PROBE-GARBAGE'],
    ['unplugging', new Error('transferIn error: LIBUSB_TRANSFER_NO_DEVICE'), 'BF-PROBE-UNPLUGGED'],
    ['an unheard-of error', new Error('moon phase'), 'BF-PROBE-GARBAGE'],
  ];
  for (const [what, answer, code] of GARBAGE) {
    it(`${what} → ${code}, and nothing else until reset`, async () => {
      const { device, clock, transport } = await opened();
      device.answers.set('F5', answer);
      await rejectsWith(ask(transport, 'F5', 2), code);
      assert.equal(device.calls.at(-1), 'close');
      await rejectsWith(ask(transport, 'F5', 2), code);
      const resetting = transport.reset();
      await clock.advance(25);
      await resetting;
      device.answers.set('F5', bytes('01 00'));
      assert.equal(hex(await ask(transport, 'F5', 2)), '01 00');
    });
  }

  it('keeps its deadline to the millisecond, closes, and comes back without the late reply', async () => {
    const { device, clock, transport } = await opened();
    const late = rejectsWith(ask(transport, 'F5', 2), 'BF-PROBE-TIMEOUT');
    await clock.advance(99);
    assert.ok(!device.calls.includes('close'));
    await clock.advance(1);
    await late;
    assert.deepEqual(device.calls.slice(-2), ['release', 'close']);
    device.say(bytes('02 00'));
    const resetting = transport.reset();
    await clock.advance(25);
    await resetting;
    device.answers.set('F5', bytes('01 00'));
    assert.equal(hex(await ask(transport, 'F5', 2)), '01 00');
    assert.equal(clock.waiting, 0);
  });

  it('has a deadline for sending too', async () => {
    const { device, clock, transport } = await opened();
    device.stuckOut = true;
    const late = rejectsWith(ask(transport, 'F5', 2), 'BF-PROBE-TIMEOUT');
    await clock.advance(100);
    await late;
  });

  it('resets the USB device only when a first reset did not help', async () => {
    const { device, clock, transport } = await opened();
    for (const expected of [0, 1]) {
      const resetting = transport.reset();
      await clock.advance(25);
      await resetting;
      assert.equal(device.calls.filter((call) => call === 'reset').length, expected);
    }
  });

  it('gives up on a probe that never stops talking', async () => {
    const device = new FakeDevice();
    for (let count = 0; count < 200; count += 1) device.say(new Uint8Array(64));
    const transport = new WebUsbTransport(device, { clock: new ManualClock(0) });
    await rejectsWith(transport.open(), 'BF-PROBE-GARBAGE');
  });

  it('is closed before opening and after closing', async () => {
    const { transport } = await opened();
    await transport.close();
    await rejectsWith(ask(transport, 'F5', 2), 'BF-PROBE-CLOSED');
  });

  it('tells a busy interface', async () => {
    const device = new FakeDevice();
    device.failClaim = new Error('claimInterface error: LIBUSB_ERROR_BUSY');
    const transport = new WebUsbTransport(device, { clock: new ManualClock(0) });
    await rejectsWith(transport.open(), 'BF-PROBE-BUSY');
    assert.equal(device.calls.at(-1), 'close');
  });
});

describe('ST-LINK over WebUSB: errors per system', () => {
  const ROWS: readonly (readonly [text: string, platform: NodeJS.Platform, code: ErrorCode])[] = [
    ['LIBUSB_ERROR_ACCESS', 'linux', 'BF-PROBE-PERMISSION'],
    ['LIBUSB_ERROR_ACCESS', 'darwin', 'BF-PROBE-BUSY'],
    ['LIBUSB_ERROR_ACCESS', 'win32', 'BF-PROBE-BUSY'],
    ['LIBUSB_ERROR_BUSY', 'linux', 'BF-PROBE-BUSY'],
    ['LIBUSB_ERROR_NOT_SUPPORTED', 'win32', 'BF-PROBE-DRIVER'],
    ['LIBUSB_ERROR_NO_DEVICE', 'linux', 'BF-PROBE-UNPLUGGED'],
    ['LIBUSB_TRANSFER_TIMED_OUT', 'linux', 'BF-PROBE-TIMEOUT'],
  ];
  for (const [text, platform, code] of ROWS) {
    it(`${text} on ${platform} → ${code}`, () => assert.equal(usbError(new Error(text), platform).code, code));
  }

  it('gives the udev rule and the Windows drivers as remedies', () => {
    assert.match(usbError(new Error('LIBUSB_ERROR_ACCESS'), 'linux').remedy, /ATTR\{idVendor\}=="0483".*udevadm/);
    assert.match(usbError(new Error('LIBUSB_ERROR_NOT_SUPPORTED'), 'win32').remedy, /STSW-LINK009.*Zadig/);
  });
});

describe('ST-LINK serial numbers', () => {
  const utf16 = (units: readonly number[]): Uint8Array =>
    Uint8Array.from([2 + 2 * units.length, 3, ...units.flatMap((unit) => [unit & 0xff, unit >> 8])]);
  const printed = '066DFF303230504E43112233';
  const raw = [0x06, 0x6d, 0xff, 0x30, 0x32, 0x30, 0x50, 0x4e, 0x43, 0x00, 0x22, 0x33];

  it('takes a printed one as it is', () => {
    assert.equal(serialFromDescriptor(utf16([...printed].map((c) => c.charCodeAt(0)))), printed);
  });

  it('prints twelve raw bytes, NUL and high ones included', () => {
    assert.equal(utf16(raw).length, 0x1a);
    assert.equal(serialFromDescriptor(utf16(raw)), '066DFF303230504E43002233');
  });

  for (const broken of ['', '02', '1A 03', '1A 02 30 00', 'FF 03 30 00 31', '06 03 0A 00 0D 00']) {
    it(`makes nothing of ${broken || 'nothing'}`, () => assert.equal(serialFromDescriptor(bytes(broken)), undefined));
  }

  it('is read from the device, over what the string layer made of it', async () => {
    const device = new FakeDevice();
    device.serialNumber = 'm?02';
    device.descriptor = utf16(raw);
    const { transport } = await opened(device);
    assert.equal(transport.identity.serial, '066DFF303230504E43002233');
  });

  it('falls back to a whole one of the string layer', async () => {
    const device = new FakeDevice();
    device.serialNumber = printed;
    const { transport } = await opened(device);
    assert.equal(transport.identity.serial, printed);
  });
});
