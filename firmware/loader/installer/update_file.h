/*
 * Update files (docs/update-files.md section 5): header, entry, and which frame is expected. What
 * a frame says is done by session.c and commands.c. Progress belongs to the file in hand and is
 * nowhere but here: after a cut it begins anew.
 */
#ifndef BF_UPDATE_FILE_H
#define BF_UPDATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* Where a header lies in the job, bytes: its plan is then where that of a job is. */
#define FILE_AT_HEADER 8u

/* The job that is about to be taken is a file, or none; what is known of another is forgotten. */
void file_begin(bool is_file);

/* The job is an update file. */
bool file_in_hand(void);

/* Its header. */
const uint8_t *file_header(void);

/* Checks the header before the plan and computes the tag of this device's entry. Fails. */
void file_offer(void);

/* Looks at whole entries. True when this device's is among them: file_open() is to follow. */
bool file_find_entry(const uint8_t *entries, uint32_t bytes);

/*
 * Notes try and use in the journal, uses the device's key for files, opens the entry. Fails when
 * it does not open or was tried too often.
 */
void file_open(void);

/* True for the frame that is next. */
bool file_expects(const uint8_t *frame, uint32_t length);

/* That of this hash, UPDATE_FRAME_HASH bytes, is expected from now on; wipes it. */
void file_expect(uint8_t *hash);

/* Fails unless the root is the one the entry names. */
void file_check_root(const uint8_t root[64]);

/* The last command; fails when the file names a frame behind it. */
void file_end(void);

#endif
