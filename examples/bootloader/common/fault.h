/* Fault report: any exception nobody handles is printed with the interrupted context, then the core spins. */
#ifndef FAULT_H
#define FAULT_H

void unexpected_exception(void);

#endif
