/* What start.S of the installer calls. */
#ifndef BF_INSTALLER_H
#define BF_INSTALLER_H

#include "handover.h"

void installer_main(const handover *found) __attribute__((noreturn));

#endif
