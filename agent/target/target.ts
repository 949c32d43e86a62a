// Port: the board of a session, however it is reached: through a probe, by a stub in RAM (target-session.ts), or over a
// serial line, by the loader of a locked chip (loader-target.ts).
import type { ProgramOnChip } from '../../shared/plan/modes.ts';
import type { TargetSession } from './target-session.ts';

/** What a session needs of its board; what each call does stands at TargetSession. */
export type Target = Pick<
  TargetSession,
  | 'info'
  | 'identity'
  | 'millivolts'
  | 'reached'
  | 'bootSource'
  | 'transport'
  | 'programHashes'
  | 'programHash'
  | 'attach'
  | 'startStub'
  | 'changeOptions'
  | 'markPower'
  | 'wasPowerCycled'
  | 'readRdpLevel'
  | 'finish'
  | 'close'
> & {
  /** Which program does the work on the chip. */
  readonly program: ProgramOnChip;
};
