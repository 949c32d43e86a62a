// Registers of boards while their loaders use the device's key, at random instants of many sessions.
import { seededRandom } from '../fixtures/seeded.ts';
import { LoaderController, installPlan } from '../integration/loader/loader-controller.ts';
import { BANKS, FLASH, record } from '../integration/loader/loader-fixture.ts';
import type { LoaderLink } from '../integration/loader/loader-link.ts';
import { image, linked } from '../integration/loader/prepared-boards.ts';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { Sampler, type RegisterSnapshot } from './sampler.ts';

const SECRET = LOADER_MAP.slots + 4;
const KEY = 32;
const M3_MS = 2000;
/** Snapshots of one session; each session has a point of its own, which anybody can read off the line. */
const PER_SESSION = 1000;
/** From the use word, whose store can be seen from outside, to M3, ns: half a delay by chance, and the ladder. */
const WINDOW_NS = 42e6;

export interface Use {
  /** The point the key was multiplied with. */
  readonly point: Uint8Array;
  readonly snapshots: readonly RegisterSnapshot[];
}
export interface Uses {
  readonly sessions: readonly Use[];
  /** D_s. */
  readonly publicKey: Uint8Array;
  /** The eight words of d_s as they lie in flash: what an attack is after. */
  readonly secretWords: readonly number[];
}

/** A board that has keys and a journal to note uses in, the same one each time. */
function board(loader: Uint8Array | undefined): LoaderLink {
  const banks = [[record('BANK', 1)], []] as const;
  return loader === undefined ? linked({ banks }, 'snapshots') : linked({ banks, loader }, `weak ${loader.length}`);
}

/** A session up to M3; `begun` is called at the store of the use word. */
function session(link: LoaderLink, seed: number, begun: () => void): { controller: LoaderController; m2: Uint8Array } {
  const controller = new LoaderController(link, installPlan(image), { seed });
  const m2 = controller.answer(controller.offer());
  link.board.bus.watch(BANKS[0], BANKS[0] + 0x4000, ({ kind }) => {
    if (kind === 'write') begun();
  });
  link.send('m2', m2);
  controller.confirm(link.await('m3', M3_MS));
  return { controller, m2 };
}

/**
 * @param count snapshots in all, more or less
 * @param loader its bytes, unless it is the prebuilt one
 */
export function uses(count: number, loader?: Uint8Array): Uses {
  const sessions: Use[] = [];
  let publicKey = new Uint8Array(0);
  let secretWords: number[] = [];
  const many = Math.ceil(count / PER_SESSION);
  for (let i = 0; i < many; i++) {
    const link = board(loader);
    const sampler = new Sampler(link.board, seededRandom(2000 + i), (many * WINDOW_NS) / count);
    const { controller, m2 } = session(link, 1000 + i, () => sampler.start());
    sampler.stop();
    sessions.push({ point: m2.slice(0, KEY), snapshots: sampler.taken });
    publicKey = controller.facts.deviceKey!.slice();
    secretWords = [...new Uint32Array(link.board.flash.bytes.slice(SECRET - FLASH, SECRET - FLASH + KEY).buffer)];
  }
  return { sessions, publicKey, secretWords };
}

/** The first of the sessions of uses() again, with the prebuilt loader, broken off at board time `at`, ns. */
export function brokenOff(at: number): LoaderLink {
  const link = board(undefined);
  const run = link.board.runTo.bind(link.board);
  let over = false;
  link.board.runTo = (ns) => {
    if (over) return;
    run(Math.min(ns, at));
    if (link.board.time.now >= at) {
      over = true;
      throw new BrokenOff();
    }
  };
  try {
    session(link, 1000, () => {});
  } catch (error) {
    if (!(error instanceof BrokenOff)) throw error;
  }
  link.board.runTo = run;
  return link;
}

class BrokenOff extends Error {}
