/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef BF_UPDATE_H
#define BF_UPDATE_H

/* The header (docs/update-files.md §2): magic word, format, limits; offsets in bytes */
#define UPDATE_MAGIC                 0x32554642u
#define UPDATE_FORMAT                1u
#define UPDATE_MOST_ENTRIES_LOG2     16u
#define UPDATE_MOST_FRAMES           1024u
#define UPDATE_AT_LENGTH             4u
#define UPDATE_AT_FORMAT             6u
#define UPDATE_AT_ENTRIES            7u
#define UPDATE_AT_FRAMES             8u
#define UPDATE_AT_ZEROS              10u
#define UPDATE_AT_FILES_KEY_ID       16u
#define UPDATE_AT_EPHEMERAL          32u

/* Sizes, bytes */
#define UPDATE_HEAD                  64u
#define UPDATE_HEAD_LENGTH           6u
#define UPDATE_FILES_KEY_ID          16u
#define UPDATE_EPHEMERAL             32u
#define UPDATE_TAG                   16u
#define UPDATE_CONTENT_KEY           32u
#define UPDATE_FRAME_HASH            32u
#define UPDATE_ROOT                  64u
#define UPDATE_ENTRY                 160u
#define UPDATE_FRAME_LENGTH          2u
#define UPDATE_LONG_FRAME            4096u
#define UPDATE_SHORT_FRAME           224u

/* Names, labels and purposes (docs/update-files.md §3, §4) */
#define DOMAIN_FILES_KEY             "files key"
#define DOMAIN_FRAME                 "frame"
#define UPDATE_LABEL_EXTRACT_TAG     "blindflash/2 file tag"
#define UPDATE_LABEL_EXTRACT_FILE    "blindflash/2 file"
#define UPDATE_LABEL_TAG_KEY         "tag key"
#define UPDATE_LABEL_ENTRY_KEY       "entry key"
#define UPDATE_LABEL_TAG             "blindflash/2 tag"
#define UPDATE_PURPOSE_ENTRY         69u
#define UPDATE_PURPOSE_FRAME         70u

#endif
