// The programs the agent is willing to run on a chip: known by the hash of their bytes, and by nothing else
// (docs/protocol.md §8, "stub hash"; docs/product.md §2). Where the bytes come from is the edge's affair.
import { copyOf, Reader, toHex } from '../../shared/codec/bytes.ts';
import { findChip } from '../../shared/chips/index.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';
import { STUB_MAJOR } from '../../shared/sealed/payloads.ts';
import { findLayout, HEADER, type Layout } from '../../shared/mailbox/layout.ts';

/** A stub that may be run. */
export interface KnownStub {
  /** As the chip rows name it. */
  readonly name: string;
  /** Where it and its mailbox lie. */
  readonly layout: Layout;
  /** The whole image from its load address. */
  readonly image: Uint8Array;
  /** 64 bytes: what M1 binds; the stub computes the same in RAM. */
  readonly hash: Uint8Array;
  /** major·256 + minor. */
  readonly version: number;
  /** First word of the vectors: initial stack pointer. */
  readonly stackPointer: number;
  /** Second word, bit 0 set. */
  readonly entry: number;
}

/** Bytes of a stub as the edge found them. */
export interface StubFile {
  readonly name: string;
  readonly image: Uint8Array;
}

/** Stubs by hash and by chip. */
export class KnownStubs {
  readonly #stubs: readonly KnownStub[];

  constructor(files: readonly StubFile[]) {
    this.#stubs = files.map(readStub);
  }

  /** The bytes themselves; they are public. */
  get images(): readonly Uint8Array[] {
    return this.#stubs.map((stub) => stub.image);
  }

  /** Hashes for HELLO: 128 lower-case digits each. */
  get hashes(): readonly string[] {
    return this.#stubs.map((stub) => toHex(stub.hash));
  }

  /** The stub for a DEV_ID. @throws BF-TARGET-WRONG-CHIP, or BF-STUB-UNKNOWN when the installation has none. */
  forChip(devId: number): KnownStub {
    const wanted = findChip(devId)?.stub;
    if (wanted === undefined) throw fail('BF-TARGET-WRONG-CHIP', `no stub for DEV_ID 0x${devId.toString(16)}`);
    const stub = this.#stubs.find(({ name }) => name === wanted);
    if (stub === undefined) throw fail('BF-STUB-UNKNOWN', wanted);
    return stub;
  }

  /** The stub with this hash (64 bytes), or undefined. */
  withHash(hash: Uint8Array): KnownStub | undefined {
    const wanted = toHex(hash);
    return this.#stubs.find((stub) => toHex(stub.hash) === wanted);
  }
}

/** Reads vectors and header. @throws BF-INTERNAL-BUILD when they are not those of a stub for this mailbox. */
function readStub({ name, image }: StubFile): KnownStub {
  const refuse = (reason: string): never => {
    throw fail('BF-INTERNAL-BUILD', `stub ${name}: ${reason}`);
  };
  const word = (offset: number): number =>
    new Reader(image.subarray(offset), 'BF-INTERNAL-BUILD', `stub ${name}`).u32();
  const header = (field: keyof typeof HEADER.fields): number => word(HEADER.offset + HEADER.fields[field]);
  const layout = findLayout(name) ?? refuse('nobody knows where it lies');
  const { control, stub } = layout.memory;
  const length = header('length');
  if (header('magic') !== HEADER.magic) refuse('no header');
  if (header('control') !== control.address) refuse('it speaks of another mailbox');
  const version = header('version');
  if (version >>> 8 !== STUB_MAJOR) refuse(`its version is ${version >>> 8}.${version & 0xff}, not ${STUB_MAJOR}`);
  if (length > image.length || image.length > stub.size) refuse('its length is impossible');
  const padded = new Uint8Array(Math.ceil(image.length / 4) * 4);
  padded.set(image);
  return {
    name,
    layout,
    image: padded,
    hash: sha512(copyOf(image, 0, length)),
    version,
    stackPointer: word(0),
    entry: word(4),
  };
}
