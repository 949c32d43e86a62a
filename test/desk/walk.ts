// A device's life as somebody at the customer's desk may break into it at any instant: keys are made, it is enrolled,
// an image is installed and started. Phases and secrets are found in a first run; the same run is then stopped at
// instants of each phase.
import type { Board, BoardSnapshot } from '../../sim/board.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { installPlan, LoaderController, loaderPlan } from '../integration/loader/loader-controller.ts';
import {
  FLASH,
  IMAGE,
  LOCKED,
  planted,
  plantedFlash,
  rootOf,
  runMs,
  runToPc,
  spinning,
  SPINS_AT,
  vendorKeys,
} from '../integration/loader/loader-fixture.ts';
import { LoaderLink } from '../integration/loader/loader-link.ts';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { contentOf, fileFor, recipientOf, stranger, UpdateLine } from '../integration/loader/update-line.ts';
import { uidFromSeed } from '../../sim/peripherals/memories.ts';
import type { UpdateFileParts } from '../fixtures/update-parts.ts';
import { fileSecrets, Secrets, sessionSecrets, slotSecrets, type Handshake } from './secrets.ts';

const STEP_MS = 0.05;
const START_MS = 30;
const IMAGE_BYTES = 9000;
/** The first two boot words are no secret: every image of this size of SRAM has them. */
const VECTORS = 8;
/** Until the installer has gone behind a file, at most. */
const GONE_MS = 2000;
const STARTED_MS = 30;
const VENDOR_SEED = 5;
const SLOT_BYTES = 288;
/** The last byte of the word by which a slot is closed. */
const CLOSED_AT = 271;
const BLANK = 0xff;
/** Sector 0 alone is write-protected, as planting leaves it. */
export const SECTOR_0_PROTECTED = 0x0ffeaaed;

const image = spinning(IMAGE_BYTES, 21);
/** The image of the update file. */
const program = spinning(IMAGE_BYTES, 22);
const flash = plantedFlash();

export interface Phase {
  readonly name: string;
  readonly fromNs: number;
  readonly toNs: number;
}

/** Of the slots in flash, the bytes of one. */
export const slotOf = (board: Board, index = 0): Uint8Array => {
  const at = LOADER_MAP.slots - FLASH + index * SLOT_BYTES;
  return board.flash.bytes.slice(at, at + SLOT_BYTES);
};

/** A board that was planted and locked and now has its first power. */
const fresh = (): Board => planted({}, { ...LOCKED, optcr: SECTOR_0_PROTECTED }, flash);

/** The handshake of `controller`, which ends with its session begun. */
function shake(link: LoaderLink, controller: LoaderController): Omit<Handshake, 'slot'> {
  const m1Body = controller.offer();
  const m2 = controller.answer(m1Body);
  link.send('m2', m2);
  controller.confirm(link.await('m3'));
  const { suite, planBytes } = controller;
  return { suite, vendor: vendorKeys, seed: VENDOR_SEED, planBytes, m1Body, m2 };
}

interface Done {
  readonly handshakes: readonly Omit<Handshake, 'slot'>[];
  readonly file: UpdateFileParts;
}

/** The whole run. @param mark told when a phase ends */
function run(board: Board, mark: (phase: string) => void): Done {
  const link = new LoaderLink(board);
  while (slotOf(board)[CLOSED_AT] === BLANK) runMs(board, STEP_MS);
  mark('keys are made');
  runMs(board, START_MS);
  mark('nobody knocks');
  link.knock(3);
  mark('the knock');
  const enrolment = new LoaderController(link, loaderPlan({ kind: 'enroll' }), { seed: VENDOR_SEED });
  const first = shake(link, enrolment);
  mark('enrolment');
  enrolment.ask({ name: 'END' });
  mark('end of the enrolment');
  const controller = new LoaderController(link, installPlan(image), { seed: VENDOR_SEED });
  const second = shake(link, controller);
  mark('handshake');
  controller.ask({ name: 'ERASE', sector: 4 });
  mark('erase');
  controller.sendImage(image);
  mark('image');
  controller.ask(controller.final(image), 30_000);
  mark('final');
  controller.ask({ name: 'END' });
  mark('end');
  const line = new UpdateLine(link);
  const file = fileFor([stranger(1), recipientOf(board)], contentOf(program));
  line.open(file);
  mark('the file is opened');
  line.frames(file.frames);
  mark('frames of the file');
  runToPc(board, SPINS_AT, GONE_MS);
  mark('start of the image');
  runMs(board, STARTED_MS);
  mark('the image');
  return { handshakes: [first, second], file };
}

export interface Walk {
  readonly phases: readonly Phase[];
  readonly secrets: Secrets;
  readonly slot: Uint8Array;
}

/** The run once, to know it. */
export function known(): Walk {
  const board = fresh();
  const phases: Phase[] = [];
  let fromNs = board.time.now;
  const { handshakes, file } = run(board, (name) => {
    phases.push({ name, fromNs, toNs: board.time.now });
    fromNs = board.time.now;
  });
  const slot = slotOf(board);
  const secrets = new Secrets();
  secrets.addAll(slotSecrets(slot));
  for (const handshake of handshakes) secrets.addAll(sessionSecrets({ ...handshake, slot }));
  secrets.addAll(fileSecrets(slot, { ...file, filesPublic: vendorKeys.publicKey, uid: uidFromSeed(1) }));
  for (const [name, bytes] of Object.entries({ image, program })) {
    secrets.add(name, bytes.slice(VECTORS), false);
    secrets.add(`root of the ${name}`, rootOf(IMAGE, bytes), false);
  }
  return { phases, secrets, slot };
}

/** Instants, `count` of them, as many in one phase as in another, in order. */
export function instants({ phases }: Walk, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const part = (): number => new DataView(random.bytes(4).buffer).getUint32(0, true) / 2 ** 32;
  return Array.from({ length: count }, (_, i) => {
    const { fromNs, toNs } = phases[i % phases.length]!;
    return fromNs + part() * (toNs - fromNs);
  }).sort((a, b) => a - b);
}

/** Runs the walk and stops at each of the instants. */
export function stopAt(wanted: readonly number[], stopped: (snapshot: BoardSnapshot, index: number) => void): void {
  const board = fresh();
  const runTo = board.runTo.bind(board);
  let next = 0;
  board.runTo = (ns) => {
    for (; next < wanted.length && wanted[next]! < ns; next++) {
      const atNs = wanted[next]!;
      if (atNs > board.time.now) runTo(atNs);
      stopped(board.snapshot(), next);
    }
    runTo(ns);
  };
  run(board, () => {});
}
