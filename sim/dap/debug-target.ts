// What the debug port needs of the chip behind it. sim/board.ts has it; tests give a few lines of their own.
import type { Bus } from '../bus.ts';

export interface DebugTarget {
  /** False: no supply, nothing answers on the wire. */
  readonly powered: boolean;
  /** False: the chip has shut its debug port for good (RDP level 2). */
  readonly debugPortEnabled: boolean;
  /** Counts power-ups; another number than before means the debug port has forgotten everything. */
  readonly powerUps?: number;
  readonly bus: Pick<Bus, 'read' | 'write'>;
  /** The access port has no clock, so that nothing it is asked for finishes (a sleeping core); absent means it has. */
  readonly debugBusStopped?: boolean;
  /**
   * Told before each AP transaction, so that read protection can notice the debugger.
   * @throws BusWait without a clock
   */
  debugAccess(): void;
  /** Told of the other signs of a debugger that read protection may go by. */
  debugEvent?(event: 'line-reset' | 'power-up-request' | 'c-debugen'): void;
}
