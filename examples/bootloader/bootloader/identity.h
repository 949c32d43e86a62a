/* Identity of the chip and the cause of its last reset. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdint.h>

/* Prints device id, flash size and the 96-bit unique id. */
void identity_print(void);

/* Returns RCC_CSR and clears its flags, so that the next start sees only its own cause. */
uint32_t reset_flags_take(void);

/* Prints each cause named in `flags` (RCC_CSR). */
void reset_flags_print(uint32_t flags);

#endif
