/*
 * What differs between the programs that share common/: the RAM stub, and the loader's installer
 * (PROGRAM_LOADER). Constants, and what the loader does besides where the stub does nothing.
 */
#ifndef BF_PROGRAM_H
#define BF_PROGRAM_H

#include <stdint.h>

#include "protocol.h"

#if defined PROGRAM_LOADER
#include "program_loader.h"
#else

#define PROGRAM_M1_MOST M1_SIZE                /* longest M1, bytes */
#define PROGRAM_EPOCH_BOXES SEALED_EPOCH_BOXES /* boxes under one key */
#define PROGRAM_MODE_FIRST MODE_HOST_BLIND     /* trust modes, from the first to the last */
#define PROGRAM_MODE_LAST MODE_HOST_BLIND
#define PROGRAM_KIND_LAST STUB_KIND_LAST
#define PROGRAM_SHAPES KIND_SHAPES
#define PROGRAM_OPTION_WORDS 0u /* of the plan that mean something, of four */
#define PROGRAM_LOCKS 1         /* it may write read protection */
#define PROGRAM_IMAGE_PLAIN IMAGE_PLAIN_SIZE /* bytes of a sealed IMAGE as commands.c sees it */
#define PROGRAM_IMAGE_DATA IMAGE_DATA_MOST   /* most of them that go to flash */
#define PROGRAM_FILES 0 /* it takes update files, whose commands nobody answers */
#define PROGRAM_ANY_KIND (OF(FLASH) | OF(VERIFY) | OF(ERASE) | OF(INFO) | OF(RESET))

typedef uint8_t program_kinds; /* a bit for each kind */

/* True when the chip's read protection is what the program works under. */
#define program_takes_protection(optcr) chip_is_open(optcr)

/* Rules of the plan besides those of plan.c. */
#define program_check_plan(p) ((void)(p))

/* The first sector of the session is about to be erased. */
#define program_begin_install() ((void)0)

/* 0: a sector that reads blank is erased all the same. */
#define PROGRAM_TRUSTS_BLANK 1

/* The root over what flash holds, which is all but these boot words. */
#define program_final_root(p, boot_words, root) digest_root(p, 0, (p)->count, root)

/* All but the boot words is written; these are next. The sectors of `erased` were erased. */
#define program_check_final(p, erased) ((void)(p))

/* All is written; the boot words, if there are any, are in place, and are to be those of FINAL. */
#define program_end_install(p, boot_words) ((void)(p))

/* The session is about to be ended in order. */
#define program_end_session() ((void)0)

#endif

#endif
