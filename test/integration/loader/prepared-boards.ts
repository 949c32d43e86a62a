// Boards at a point many tests begin from, made once and forked from a snapshot.
import type { Board, BoardSnapshot } from '../../../sim/board.ts';
import { loaderPlan, LoaderController, installPlan } from './loader-controller.ts';
import { planted, runMs, spinning, type Planted } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';

const START_MS = 60;
const snapshots = new Map<string, BoardSnapshot>();

/** A fork of the board that `prepare` brings to a point; the link's packets begin anew. */
function forked(key: string, what: Planted, prepare: (link: LoaderLink) => void): LoaderLink {
  const board = planted(what);
  const known = snapshots.get(key);
  if (known === undefined) {
    prepare(new LoaderLink(board));
    snapshots.set(key, board.snapshot());
  } else {
    board.restore(known);
  }
  return new LoaderLink(board);
}

/** The installer of a board without image has made its keys and answered the knock. */
export function linked(what: Planted = {}, key = 'linked'): LoaderLink {
  return forked(key, what, (link) => {
    runMs(link.board, START_MS);
    link.knock();
  });
}

export const IMAGE_BYTES = 9000;
export const image = spinning(IMAGE_BYTES);

/** A board on which `image` was installed, version 7, floor 3, and that lies in its installer still. */
export function installedBoard(): LoaderLink {
  return forked('installed', {}, (link) => {
    runMs(link.board, START_MS);
    link.knock();
    const controller = new LoaderController(link, installPlan(image));
    controller.connect();
    controller.install(image);
  });
}

/** A session for a job, begun. */
export function session(link: LoaderLink, plan: Uint8Array = loaderPlan({ kind: 'enroll' })): LoaderController {
  const controller = new LoaderController(link, plan);
  controller.connect();
  return controller;
}

/** A board with the same flash whose power was off. */
export function afterPowerCycle(board: Board): LoaderLink {
  board.powerOff();
  board.powerOn();
  runMs(board, START_MS);
  return new LoaderLink(board);
}
