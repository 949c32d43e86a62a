/* Every hash of the protocol begins with a name of its own. */
#ifndef BF_DOMAIN_H
#define BF_DOMAIN_H

#include "sha512.h"

/* Begins a SHA-512 over "blindflash/2 " || name, `length` bytes of it. */
void domain_begin(bf_sha512 *s, const char *name, uint32_t length);

#endif
