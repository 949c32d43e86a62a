/* The UART: see uart.h (RM0090 sections 10.3, 30.3, tables 42 and 43 for the DMA requests). */
#include "uart.h"

#include "clock.h"
#include "facts.h"
#include "line.h"
#include "registers_loader.h"
#include "section.h"
#include "util.h"

#define RING 0x8000u /* 0.35 s at 921600 bit/s */

#define USART(offset) REG32(row->base + (offset))
#define USART_SR USART(0x00u)
#define USART_SR_TC BIT(6)
#define USART_SR_TXE BIT(7)
#define USART_DR USART(0x04u)
#define USART_BRR USART(0x08u)
#define USART_CR1 USART(0x0Cu)
#define USART_CR1_ON (BIT(2) | BIT(3) | BIT(13)) /* RE, TE, UE */
#define USART_CR3 USART(0x14u)
#define USART_CR3_DMAR BIT(6)

#define DMA(controller, offset) REG32(0x40026000u + 0x400u * ((controller)-1u) + (offset))
#define DMA_LIFCR DMA(row->dma, 0x08u)
#define DMA_HIFCR DMA(row->dma, 0x0Cu)
#define DMA_ALL_FLAGS 0x0F7D0F7Du
#define STREAM(offset) DMA(row->dma, 0x10u + 0x18u * row->stream + (offset))
#define STREAM_CR STREAM(0x00u)
#define STREAM_CR_EN BIT(0)
#define STREAM_CR_RING (BIT(8) | BIT(10)) /* circular, memory increments */
#define STREAM_CR_CHANNEL(n) ((uint32_t)(n) << 25)
#define STREAM_CR_PRIORITY (3u << 16)
#define STREAM_NDTR STREAM(0x04u)
#define STREAM_PAR STREAM(0x08u)
#define STREAM_M0AR STREAM(0x0Cu)

#define MODE_ALTERNATE 2u
#define SPEED_HIGH 2u
#define PULL_UP 1u

/* UARTs of the family: base, bus and bit of the clock, alternate function, DMA request of RX. */
typedef struct {
  uint32_t base;
  uint8_t apb;
  uint8_t bit;
  uint8_t alternate;
  uint8_t dma;
  uint8_t stream;
  uint8_t channel;
} uart_row;

static const uart_row UARTS[] = {
    {0x40011000u, 2, 4, 7, 2, 5, 4},  {0x40004400u, 1, 17, 7, 1, 5, 4},
    {0x40004800u, 1, 18, 7, 1, 1, 4}, {0x40004C00u, 1, 19, 8, 1, 2, 4},
    {0x40005000u, 1, 20, 8, 1, 0, 4}, {0x40011400u, 2, 5, 8, 2, 1, 5},
    {0x40007800u, 1, 30, 8, 1, 3, 5}, {0x40007C00u, 1, 31, 8, 1, 6, 5},
};

static const uart_row *row;
static SECTION_BUFFER uint8_t ring[RING];
static uint32_t taken; /* index of the next byte that is to be read */

static void set_pin(uint32_t pin, uint32_t alternate) {
  uint32_t port = pin >> 4, number = pin & 15u, field = 2u * number, lane = 4u * (number & 7u);
  RCC_AHB1ENR |= RCC_AHB1ENR_GPIO(port);
  (void)RCC_AHB1ENR;
  GPIO_AFR(port, number) = (GPIO_AFR(port, number) & ~(15u << lane)) | alternate << lane;
  GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << field)) | PULL_UP << field;
  GPIO_OSPEEDR(port) = (GPIO_OSPEEDR(port) & ~(3u << field)) | SPEED_HIGH << field;
  GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << field)) | MODE_ALTERNATE << field;
}

void uart_start(void) {
  const config *c = facts_config();
  row = &UARTS[c->uart - 1u];
  if (row->apb == 2)
    RCC_APB2ENR |= BIT(row->bit);
  else
    RCC_APB1ENR |= BIT(row->bit);
  RCC_AHB1ENR |= row->dma == 2 ? RCC_AHB1ENR_DMA2 : RCC_AHB1ENR_DMA1;
  (void)RCC_AHB1ENR;
  set_pin(c->rx_pin, row->alternate);
  set_pin(c->tx_pin, row->alternate);
  uart_set_bit(LINE_BITS * (CLOCK_FAST_HZ / 115200u));
}

static void stop_stream(void) {
  STREAM_CR = 0;
  for (uint32_t left = 1000; left > 0 && (STREAM_CR & STREAM_CR_EN) != 0; left--) {
  }
}

/*
 * What a stream that was stopped has set is cleared, or it would not start again (RM0090, DMA_SxCR,
 * EN); no other stream is in use.
 */
static void clear_flags(void) {
  DMA_LIFCR = DMA_HIFCR = DMA_ALL_FLAGS;
}

/* LINE_BITS times the core cycles of one cycle of the UART. */
static uint32_t unit_cycles(void) {
  return LINE_BITS * (row->apb == 2 ? 2u : 4u);
}

static uint32_t divider_for(uint32_t cycles) {
  return (cycles + unit_cycles() / 2) / unit_cycles();
}

bool uart_can_make(uint32_t cycles) {
  uint32_t made = divider_for(cycles) * unit_cycles();
  uint32_t off = made > cycles ? made - cycles : cycles - made;
  return divider_for(cycles) >= 16u && divider_for(cycles) <= 0xFFFFu && off <= cycles / 50;
}

void uart_set_bit(uint32_t cycles) {
  USART_CR1 = 0;
  stop_stream();
  clear_flags();
  USART_BRR = divider_for(cycles);
  USART_CR3 = USART_CR3_DMAR;
  STREAM_PAR = (uint32_t)&USART_DR;
  STREAM_M0AR = (uint32_t)ring;
  STREAM_NDTR = RING;
  STREAM_CR = STREAM_CR_CHANNEL(row->channel) | STREAM_CR_PRIORITY | STREAM_CR_RING;
  STREAM_CR |= STREAM_CR_EN;
  taken = 0;
  USART_CR1 = USART_CR1_ON;
}

static uint32_t received(void) {
  return (RING - STREAM_NDTR) % RING;
}

bool uart_heard(void) {
  bool heard = taken != received();
  taken = received();
  return heard;
}

bool uart_waiting(void) {
  return taken != received();
}

const volatile uint32_t *uart_counter(void) {
  return &STREAM_NDTR;
}

int32_t uart_take(void) {
  if (!uart_waiting()) return -1;
  uint8_t byte = *(volatile uint8_t *)&ring[taken];
  taken = (taken + 1) % RING;
  return byte;
}

bool uart_put(uint8_t byte) {
  if ((USART_SR & USART_SR_TXE) == 0) return false;
  USART_DR = byte;
  return true;
}

bool uart_sent(void) {
  return (USART_SR & USART_SR_TC) != 0;
}

void uart_stop(void) {
  USART_CR1 = 0;
  stop_stream();
}
