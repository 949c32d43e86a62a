// The virtual probe's USB plug as a unix socket, for the bridge that shows it to libusb (test/interop/clients/bridge).
// One client. A request is a kind, an endpoint address and a LE32 length, with that many bytes behind it for C and O;
// each gets one answer, LE32 first:
//   D     descriptors: length, then device descriptor and configuration as the bus carries them
//   C     control read: the 8 setup bytes; length or STALL, then data
//   O     bulk OUT: the length taken
//   I     bulk IN with room for `length` bytes: length, PENDING (after a short wait) or OVERFLOW, then data
//   R     interface claimed or device reset: 0; half-sent commands and unfetched replies are gone
//   X     the cable was pulled: 0; the probe's firmware starts afresh
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { rmSync } from 'node:fs';
import { controlReply, descriptorBytes } from '../stlink/usb-descriptors.ts';
import { UsbPipe } from '../stlink/usb-pipe.ts';
import type { SharedProbe } from '../stlink/server-session.ts';

const HEADER_SIZE = 6;
const REQUEST_MAX = 1 << 20;
const PENDING = 0xffffffff;
const STALL = 0xfffffffe;
const OVERFLOW = 0xfffffffd;
/** How long an IN transfer may wait here before the bridge hears that there is nothing yet, ms. */
const ARRIVAL_TIMEOUT_MS = 2;

/** The probe behind the plug. */
export interface PluggedProbe extends SharedProbe {
  /** Its supply went and came: see VirtualStlink.powerCycle. */
  powerCycle(): void;
}

export interface UsbSocket {
  close(): Promise<void>;
}

interface Request {
  readonly kind: string;
  readonly endpoint: number;
  readonly length: number;
  readonly data: Uint8Array;
}

/** Serves `probe` at `path`, which is replaced when it exists. @throws the socket's error when it cannot be had. */
export async function listenUsbSocket(probe: PluggedProbe, path: string): Promise<UsbSocket> {
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, probe);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { close };
}

/** Answers requests in order, one at a time. */
function serve(socket: Socket, probe: PluggedProbe): void {
  const pipe = new UsbPipe(probe);
  let buffered = new Uint8Array(0);
  let busy = false;
  const pump = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let size = requestSize(buffered); size <= buffered.length; size = requestSize(buffered)) {
      const request = parse(buffered.slice(0, size));
      buffered = buffered.slice(size);
      socket.write(await answer(request, probe, pipe));
    }
    busy = false;
  };
  socket.on('data', (chunk: Uint8Array) => {
    buffered = joined(buffered, chunk);
    if (requestSize(buffered) > REQUEST_MAX) socket.destroy();
    else pump().catch(() => socket.destroy());
  });
}

/** Bytes of the request at the start of `bytes`, as far as can be told. */
function requestSize(bytes: Uint8Array): number {
  if (bytes.length < HEADER_SIZE) return HEADER_SIZE;
  const { kind, length } = parse(bytes);
  return HEADER_SIZE + (kind === 'O' || kind === 'C' ? length : 0);
}

function parse(bytes: Uint8Array): Request {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2, true);
  return { kind: String.fromCharCode(bytes[0]!), endpoint: bytes[1]!, length, data: bytes.subarray(HEADER_SIZE) };
}

async function answer(request: Request, probe: PluggedProbe, pipe: UsbPipe): Promise<Uint8Array> {
  const { kind, length, data } = request;
  if (kind === 'D') return withLength(descriptorBytes(probe.identity));
  if (kind === 'C') return withLength(controlReply(probe.identity, probe.serial, data));
  if (kind === 'O') pipe.out(data);
  if (kind === 'O') return word(length);
  if (kind === 'I') return withLength(await bulkIn(request, probe, pipe));
  pipe.reset();
  if (kind === 'X') probe.powerCycle();
  return word(0);
}

async function bulkIn(request: Request, probe: PluggedProbe, pipe: UsbPipe): Promise<Uint8Array | number> {
  if ((request.endpoint & 0x7f) !== probe.identity.endpointIn) return PENDING;
  let got = pipe.take(request.length);
  if (got === 'pending') {
    await arrivalOrTimeout(pipe);
    got = pipe.take(request.length);
  }
  return got === 'pending' ? PENDING : got === 'overflow' ? OVERFLOW : got;
}

function arrivalOrTimeout(pipe: UsbPipe): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ARRIVAL_TIMEOUT_MS);
    void pipe.arrival().then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** An answer of bytes with their number in front, or a number alone; nothing to say is a stall. */
function withLength(bytes: Uint8Array | number | undefined): Uint8Array {
  if (bytes === undefined) return word(STALL);
  return typeof bytes === 'number' ? word(bytes) : joined(word(bytes.length), bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
