/* A printf of a few hundred bytes over the console.
 * Understands %c %s %d %u %x %% with an optional zero flag and a width (applied to numbers and strings). */
#ifndef PRINT_H
#define PRINT_H

/* Integer arguments are 32 bits wide; uint32_t is `unsigned long` on this target, hence no format attribute. */
void print(const char *format, ...);

#endif
