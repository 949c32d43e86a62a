/* USART1 driver. RM0090, chapters GPIO and USART; AF7 from the datasheet's alternate-function table. */
#include "console.h"
#include "stm32f427.h"

#define PORT_A 0
#define TX_PIN 9
#define RX_PIN 10
#define MODE_ALTERNATE 2
#define PULL_UP 1
#define AF_USART1 7
#define BRR_115200 0x8B /* 16 MHz / 115200 = 138.9 sixteenths, rounded: 8 + 11/16 */

static void set_pin_field(volatile uint32_t *reg, unsigned pin, unsigned bits, uint32_t value) {
    unsigned shift = pin * bits;
    uint32_t mask = ((UINT32_C(1) << bits) - 1) << shift;
    *reg = (*reg & ~mask) | (value << shift);
}

static void route_pin(unsigned pin) {
    set_pin_field(&GPIO_AFRH(PORT_A), pin - 8, 4, AF_USART1);
    set_pin_field(&GPIO_MODER(PORT_A), pin, 2, MODE_ALTERNATE);
}

/* The enable bit is read back because the clock arrives a little after the write. */
static void enable_clocks(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR;
}

void console_start(void) {
    enable_clocks();
    set_pin_field(&GPIO_PUPDR(PORT_A), RX_PIN, 2, PULL_UP);
    route_pin(TX_PIN);
    route_pin(RX_PIN);
    USART1_CR1 = 0;
    USART1_BRR = BRR_115200;
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

void console_put(char c) {
    while (!(USART1_SR & USART_SR_TXE)) {
    }
    USART1_DR = (uint8_t)c;
}

bool console_poll(char *c) {
    if (!(USART1_SR & USART_SR_RXNE)) return false;
    *c = (char)USART1_DR;
    return true;
}

void console_drain(void) {
    while (!(USART1_SR & USART_SR_TC)) {
    }
}

void console_enable_receive_interrupt(void) {
    USART1_CR1 |= USART_CR1_RXNEIE;
    NVIC_ISER(USART1_IRQ / 32) = BIT(USART1_IRQ % 32);
}
