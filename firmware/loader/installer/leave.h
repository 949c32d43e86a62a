/*
 * How the installer ends: by a reset, after which boot starts the image (docs/loader.md, "Entering
 * and leaving the installer").
 */
#ifndef BF_LEAVE_H
#define BF_LEAVE_H

#include <stdbool.h>

/*
 * Resets the chip when there is an image and nobody wants the installer: no knock in 200 ms, or no
 * session in 10 s. `in_session`: there is one now.
 */
void leave_if_due(bool in_session);

/*
 * Entries of an update file come, by which nobody has proven himself: it is waited for their end,
 * but not for ever.
 */
void leave_later(void);

/* A session had an orderly end: leave soon when the plan says that the image is to run. */
void leave_after_end(void);

#endif
