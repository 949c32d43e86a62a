/* The LED. RM0090, chapter GPIO. */
#include "led.h"
#include "stm32f427.h"

#define PORT_B 1
#define LED_PIN 7
#define MODE_OUTPUT UINT32_C(1)

void led_start(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOB;
    (void)RCC_AHB1ENR;
    GPIO_MODER(PORT_B) = (GPIO_MODER(PORT_B) & ~(UINT32_C(3) << (2 * LED_PIN))) | MODE_OUTPUT << (2 * LED_PIN);
}

void led_set(bool on) { GPIO_BSRR(PORT_B) = on ? BIT(LED_PIN) : BIT(LED_PIN + 16); }
