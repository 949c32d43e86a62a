// Where the mailbox of the STM32F42x stub lies, for tests and benches of that chip alone. The product takes the layout of the stub
// it has loaded (shared/mailbox/layout.ts).
import { fieldAddress, LAYOUTS, type ControlName } from '../../shared/mailbox/layout.ts';

export const MEMORY = LAYOUTS.stm32f42x.memory;
export const FRAME_RING = LAYOUTS.stm32f42x.frameRing;
export const REPLY_RING = LAYOUTS.stm32f42x.replyRing;

/** Absolute address of a field of the control page. */
export function controlAddress(name: ControlName): number {
  return fieldAddress(LAYOUTS.stm32f42x, name);
}
