/* The chips of the target stm32f4: see chips_stm32f4.h. */
#include "chips_stm32f4.h"

#include "protocol.h"
#include "registers.h"

/* DEV_ID, random generator, two banks, wait states, VOS, error flags. */
static const chip_facts CHIPS[] = {
    /* F405, F407, F415, F417: VOS is one bit, LATENCY three, no RDERR */
    {0x413, 1, 0, 7, 1, 0x0F2},
    {0x434, 1, 1, 8, 3, 0x1F2}, /* F469, F479: as the F42x */
    {0x421, 0, 0, 0, 0, 0},     /* F446 */
    {0x423, 0, 0, 0, 0, 0},     /* F401xB, F401xC */
    {0x433, 0, 0, 0, 0, 0},     /* F401xD, F401xE */
    {0x431, 0, 0, 0, 0, 0},     /* F411 */
};

const chip_facts *chip_here;

session_error chip_refusal(void) {
  uint32_t id = DBGMCU_IDCODE & 0xFFFu;
  for (chip_here = CHIPS; chip_here < CHIPS + sizeof CHIPS / sizeof CHIPS[0]; chip_here++)
    if (chip_here->dev_id == id) return chip_here->random ? ERROR_NONE : ERROR_NO_RANDOM;
  return ERROR_WRONG_CHIP;
}
