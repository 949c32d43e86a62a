// Base address → peripheral of the F42x, one table (docs/reference/stm32f4.md §2.6; RM0090 table 1 for the rest).
// `enable` is the bit in the bus's RCC enable register; without one the block is always clocked. `part` names what is
// modelled.
import type { EnableBus } from './rcc.ts';

export interface Block {
  readonly name: string;
  readonly base: number;
  readonly size?: number;
  readonly enable?: readonly [bus: EnableBus, bit: number];
  readonly part?: string;
}

/** Size of a block when the row gives none, bytes. */
export const BLOCK_SIZE = 0x400;

export const BLOCKS = [
  { name: 'TIM2', base: 0x40000000, enable: ['APB1', 0] },
  { name: 'TIM3', base: 0x40000400, enable: ['APB1', 1] },
  { name: 'TIM4', base: 0x40000800, enable: ['APB1', 2] },
  { name: 'TIM5', base: 0x40000c00, enable: ['APB1', 3] },
  { name: 'TIM6', base: 0x40001000, enable: ['APB1', 4] },
  { name: 'TIM7', base: 0x40001400, enable: ['APB1', 5] },
  { name: 'TIM12', base: 0x40001800, enable: ['APB1', 6] },
  { name: 'TIM13', base: 0x40001c00, enable: ['APB1', 7] },
  { name: 'TIM14', base: 0x40002000, enable: ['APB1', 8] },
  { name: 'RTC', base: 0x40002800, part: 'rtc' },
  { name: 'WWDG', base: 0x40002c00, enable: ['APB1', 11], part: 'wwdg' },
  { name: 'IWDG', base: 0x40003000, part: 'iwdg' },
  { name: 'I2S2ext', base: 0x40003400, enable: ['APB1', 14] },
  { name: 'SPI2', base: 0x40003800, enable: ['APB1', 14] },
  { name: 'SPI3', base: 0x40003c00, enable: ['APB1', 15] },
  { name: 'I2S3ext', base: 0x40004000, enable: ['APB1', 15] },
  { name: 'USART2', base: 0x40004400, enable: ['APB1', 17], part: 'USART2' },
  { name: 'USART3', base: 0x40004800, enable: ['APB1', 18], part: 'USART3' },
  { name: 'UART4', base: 0x40004c00, enable: ['APB1', 19], part: 'UART4' },
  { name: 'UART5', base: 0x40005000, enable: ['APB1', 20], part: 'UART5' },
  { name: 'I2C1', base: 0x40005400, enable: ['APB1', 21] },
  { name: 'I2C2', base: 0x40005800, enable: ['APB1', 22] },
  { name: 'I2C3', base: 0x40005c00, enable: ['APB1', 23] },
  { name: 'CAN1', base: 0x40006400, enable: ['APB1', 25] },
  { name: 'CAN2', base: 0x40006800, enable: ['APB1', 26] },
  { name: 'PWR', base: 0x40007000, enable: ['APB1', 28], part: 'pwr' },
  { name: 'DAC', base: 0x40007400, enable: ['APB1', 29] },
  { name: 'UART7', base: 0x40007800, enable: ['APB1', 30], part: 'UART7' },
  { name: 'UART8', base: 0x40007c00, enable: ['APB1', 31], part: 'UART8' },
  { name: 'TIM1', base: 0x40010000, enable: ['APB2', 0] },
  { name: 'TIM8', base: 0x40010400, enable: ['APB2', 1] },
  { name: 'USART1', base: 0x40011000, enable: ['APB2', 4], part: 'USART1' },
  { name: 'USART6', base: 0x40011400, enable: ['APB2', 5], part: 'USART6' },
  { name: 'ADC1-3', base: 0x40012000, enable: ['APB2', 8] },
  { name: 'SDIO', base: 0x40012c00, enable: ['APB2', 11] },
  { name: 'SPI1', base: 0x40013000, enable: ['APB2', 12] },
  { name: 'SPI4', base: 0x40013400, enable: ['APB2', 13] },
  { name: 'SYSCFG', base: 0x40013800, enable: ['APB2', 14], part: 'syscfg' },
  { name: 'EXTI', base: 0x40013c00, part: 'exti' },
  { name: 'TIM9', base: 0x40014000, enable: ['APB2', 16] },
  { name: 'TIM10', base: 0x40014400, enable: ['APB2', 17] },
  { name: 'TIM11', base: 0x40014800, enable: ['APB2', 18] },
  { name: 'SPI5', base: 0x40015000, enable: ['APB2', 20] },
  { name: 'SPI6', base: 0x40015400, enable: ['APB2', 21] },
  { name: 'SAI1', base: 0x40015800, enable: ['APB2', 22] },
  { name: 'GPIOA', base: 0x40020000, enable: ['AHB1', 0], part: 'gpioA' },
  { name: 'GPIOB', base: 0x40020400, enable: ['AHB1', 1], part: 'gpioB' },
  { name: 'GPIOC', base: 0x40020800, enable: ['AHB1', 2], part: 'gpioC' },
  { name: 'GPIOD', base: 0x40020c00, enable: ['AHB1', 3], part: 'gpioD' },
  { name: 'GPIOE', base: 0x40021000, enable: ['AHB1', 4], part: 'gpioE' },
  { name: 'GPIOF', base: 0x40021400, enable: ['AHB1', 5], part: 'gpioF' },
  { name: 'GPIOG', base: 0x40021800, enable: ['AHB1', 6], part: 'gpioG' },
  { name: 'GPIOH', base: 0x40021c00, enable: ['AHB1', 7], part: 'gpioH' },
  { name: 'GPIOI', base: 0x40022000, enable: ['AHB1', 8], part: 'gpioI' },
  { name: 'GPIOJ', base: 0x40022400, enable: ['AHB1', 9], part: 'gpioJ' },
  { name: 'GPIOK', base: 0x40022800, enable: ['AHB1', 10], part: 'gpioK' },
  { name: 'CRC', base: 0x40023000, enable: ['AHB1', 12], part: 'crc' },
  { name: 'RCC', base: 0x40023800, part: 'rcc' },
  { name: 'FLASH', base: 0x40023c00, part: 'flash' },
  { name: 'BKPSRAM', base: 0x40024000, size: 0x1000, enable: ['AHB1', 18], part: 'backupSram' },
  { name: 'DMA1', base: 0x40026000, enable: ['AHB1', 21], part: 'DMA1' },
  { name: 'DMA2', base: 0x40026400, enable: ['AHB1', 22], part: 'DMA2' },
  { name: 'ETH', base: 0x40028000, size: 0x1400, enable: ['AHB1', 25] },
  { name: 'DMA2D', base: 0x4002b000, size: 0xc00, enable: ['AHB1', 23] },
  { name: 'OTG_HS', base: 0x40040000, size: 0x40000, enable: ['AHB1', 29] },
  { name: 'OTG_FS', base: 0x50000000, size: 0x40000, enable: ['AHB2', 7] },
  { name: 'DCMI', base: 0x50050000, enable: ['AHB2', 0] },
  { name: 'RNG', base: 0x50060800, enable: ['AHB2', 6], part: 'rng' },
  { name: 'FMC', base: 0xa0000000, enable: ['AHB3', 0] },
] as const satisfies readonly Block[];

export const GPIO_LETTERS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K'] as const;
