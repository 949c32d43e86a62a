// What the agent says of itself, probe and board when a tunnel stands (docs/protocol.md §6, HELLO), within the bounds
// of each field: a probe may call itself anything.
import { toHex } from '../../shared/codec/bytes.ts';
import type { OwnHello } from '../../shared/tunnel/bodies.ts';
import { boundedText } from '../consent/plain-text.ts';
import type { ProbeInfo } from '../probe/probe.ts';
import type { BoardIdentity } from '../target/target-session.ts';

const MOST = { text: 64, stubs: 16, millivolts: 100_000 } as const;

export interface HelloFacts {
  readonly version: string;
  /** Of the programs that can work on this board, 128 digits each. */
  readonly programs: readonly string[];
  readonly probe: ProbeInfo;
  /** As the probe measured it; null when it cannot. */
  readonly millivolts: number | null;
  readonly board: BoardIdentity;
}

export function helloOf({ version, programs, probe, millivolts, board }: HelloFacts): OwnHello {
  const { devId, revId, uid, flashKiB, rdp, optcr, optcr1 } = board;
  const text = (value: string): string => boundedText(value, MOST.text);
  const measured = millivolts !== null && millivolts >= 0 && millivolts <= MOST.millivolts;
  return {
    agent: text(version),
    stubs: programs.slice(0, MOST.stubs),
    probe: {
      kind: text(probe.kind),
      firmware: text(probe.firmware),
      serial: text(probe.serial ?? ''),
      millivolts: measured ? millivolts : null,
    },
    target: { devId, revId, uid: toHex(uid), flashKiB, rdp, optcr, optcr1 },
  };
}
