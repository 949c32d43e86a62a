// The serial ports of the F42x (RM0090 tables 1 and 62; DS9405 table 12 for pins and alternate functions). The first
// pins of a port are those that boards and the ROM boot loader use most.

export interface UsartRow {
  readonly irq: number;
  /** APB bus whose clock it runs on. */
  readonly apb: 1 | 2;
  readonly alternate: 7 | 8;
  readonly tx: readonly string[];
  readonly rx: readonly string[];
}

export const USARTS = {
  USART1: { irq: 37, apb: 2, alternate: 7, tx: ['PA9', 'PB6'], rx: ['PA10', 'PB7'] },
  USART2: { irq: 38, apb: 1, alternate: 7, tx: ['PA2', 'PD5'], rx: ['PA3', 'PD6'] },
  USART3: { irq: 39, apb: 1, alternate: 7, tx: ['PB10', 'PC10', 'PD8'], rx: ['PB11', 'PC11', 'PD9'] },
  UART4: { irq: 52, apb: 1, alternate: 8, tx: ['PA0', 'PC10'], rx: ['PA1', 'PC11'] },
  UART5: { irq: 53, apb: 1, alternate: 8, tx: ['PC12'], rx: ['PD2'] },
  USART6: { irq: 71, apb: 2, alternate: 8, tx: ['PC6', 'PG14'], rx: ['PC7', 'PG9'] },
  UART7: { irq: 82, apb: 1, alternate: 8, tx: ['PE8', 'PF7'], rx: ['PE7', 'PF6'] },
  UART8: { irq: 83, apb: 1, alternate: 8, tx: ['PE1'], rx: ['PE0'] },
} as const satisfies Readonly<Record<string, UsartRow>>;

export type UsartName = keyof typeof USARTS;

export const USART_NAMES = Object.keys(USARTS) as UsartName[];
