/* Update files: see update_file.h. */
#include "update_file.h"

#include "abort.h"
#include "box_stream.h"
#include "boxes.h"
#include "chip.h"
#include "config.h"
#include "device_handshake.h"
#include "domain.h"
#include "handshake.h"
#include "job.h"
#include "journal_write.h"
#include "program.h"
#include "rng.h"
#include "section.h"
#include "slots.h"
#include "update.h"
#include "util.h"

_Static_assert(FILE_AT_HEADER + UPDATE_HEAD == JOB_AT_PLAN &&
                   FILE_AT_HEADER + UPDATE_AT_EPHEMERAL == JOB_AT_HOST_ENTROPY,
               "a header fits where a job has what is before its plan");

static bool in_hand;
static SECTION_LARGE uint8_t header_hash[64];
static SECTION_LARGE uint8_t entry[UPDATE_ENTRY]; /* of this device, as it came */
static SECTION_SECRET uint8_t tag[UPDATE_TAG];    /* it would have */
static SECTION_SECRET struct {
  uint8_t frame[UPDATE_FRAME_HASH]; /* hash of the next one; zeros behind the last */
  uint8_t root[UPDATE_ROOT];        /* of the whole image with its boot words */
} expected;

void file_begin(bool is_file) {
  in_hand = is_file;
}

bool file_in_hand(void) {
  return in_hand;
}

const uint8_t *file_header(void) {
  return current_job.content.bytes + FILE_AT_HEADER;
}

static uint32_t load_le16(const uint8_t *from) {
  return from[0] | (uint32_t)from[1] << 8;
}

static bool is_zero(const uint8_t *from, uint32_t bytes) {
  uint32_t any = 0;
  while (bytes-- > 0) any |= *from++;
  return any == 0;
}

/* What is before the plan, whose rules have been checked. */
static bool is_header_good(const uint8_t *header, uint32_t length) {
  return bf_load_le32(header) == UPDATE_MAGIC &&
         load_le16(header + UPDATE_AT_LENGTH) == length &&
         header[UPDATE_AT_FORMAT] == UPDATE_FORMAT &&
         header[UPDATE_AT_ENTRIES] <= UPDATE_MOST_ENTRIES_LOG2 &&
         load_le16(header + UPDATE_AT_FRAMES) - 1u < UPDATE_MOST_FRAMES &&
         is_zero(header + UPDATE_AT_ZEROS, UPDATE_AT_FILES_KEY_ID - UPDATE_AT_ZEROS) &&
         device_is_canonical(header + UPDATE_AT_EPHEMERAL);
}

/* From k, and nothing else that is secret. A k that is zero takes no files. */
static void compute_tag(void) {
  const uint8_t *key = slots_keys()->file_tags[program_vendor()];
  uint8_t mac[64];
  bf_part parts[] = {{(const uint8_t *)UPDATE_LABEL_TAG, sizeof UPDATE_LABEL_TAG - 1},
                     {header_hash, sizeof header_hash},
                     {chip_uid(), CHIP_UID_SIZE}};
  if (is_zero(key, KEY)) session_abort(ERROR_VENDOR_KEY, program_vendor());
  bf_hmac_parts(mac, key, KEY, parts, 3);
  bf_copy(tag, mac, sizeof tag);
  bf_wipe(mac, sizeof mac);
}

void file_offer(void) {
  uint32_t length = current_job.content.is.length - FILE_AT_HEADER;
  if (!is_header_good(file_header(), length)) session_abort(ERROR_PLAN_MALFORMED, NO_ADDRESS);
  bf_sha512_once(header_hash, file_header(), length);
  compute_tag();
}

bool file_find_entry(const uint8_t *entries, uint32_t bytes) {
  for (; bytes > 0; bytes -= UPDATE_ENTRY, entries += UPDATE_ENTRY)
    if (bf_equal(entries, tag, sizeof tag)) {
      bf_copy(entry, entries, sizeof entry);
      return true;
    }
  return false;
}

/* prk of the file: its ephemeral key and the vendor's, each with the device's. */
static void agree_both(uint8_t prk[64]) {
  uint8_t ikm[2 * KEY];
  const device_keys *keys = slots_keys();
  device_agree(ikm, keys->file_secret, file_header() + UPDATE_AT_EPHEMERAL);
  device_agree(ikm + KEY, keys->file_secret, config_in_flash()->keys[program_vendor()].key);
  handshake_extract(prk, UPDATE_LABEL_EXTRACT_FILE, ikm, sizeof ikm);
}

static void expand_key(uint8_t key[KEY], const uint8_t prk[64]) {
  struct {
    uint8_t header_hash[64];
    uint8_t vendor[KEY], ephemeral[KEY], device[KEY];
    uint8_t uid[CHIP_UID_SIZE];
  } names;
  bf_copy(names.header_hash, header_hash, sizeof header_hash);
  bf_copy(names.vendor, config_in_flash()->keys[program_vendor()].key, KEY);
  bf_copy(names.ephemeral, file_header() + UPDATE_AT_EPHEMERAL, KEY);
  bf_copy(names.device, slots_keys()->file_public, KEY);
  bf_copy(names.uid, chip_uid(), CHIP_UID_SIZE);
  handshake_expand(key, prk, 64, UPDATE_LABEL_ENTRY_KEY, &names, sizeof names);
}

/* The entry's box: content key, hash of frame 1, root. */
static void open_entry(uint8_t key[KEY]) {
  uint8_t nonce[24];
  bf_wipe(nonce, sizeof nonce);
  nonce[0] = DIRECTION_R2I;
  nonce[1] = UPDATE_PURPOSE_ENTRY;
  nonce[16] = 1;
  if (!box_stream_open(entry + UPDATE_TAG, UPDATE_ENTRY - UPDATE_TAG, nonce, key))
    session_abort(ERROR_BOX_FAILED, 0);
  box_stream_take(key, BOX_STREAM_FIRST);
  box_stream_take(expected.frame, BOX_STREAM_PART);
  box_stream_take(expected.frame + BOX_STREAM_PART, sizeof expected - BOX_STREAM_PART);
  box_stream_close();
}

void file_open(void) {
  uint8_t prk[64], key[KEY];
  uint32_t failed = rng_seed(file_header() + UPDATE_AT_EPHEMERAL);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  journal_begin_try(file_header() + UPDATE_AT_EPHEMERAL);
  device_note_use();
  agree_both(prk);
  device_wait();
  expand_key(key, prk);
  device_wait();
  open_entry(key);
  boxes_start_file(key);
  bf_wipe(prk, sizeof prk);
  bf_wipe(key, sizeof key);
}

bool file_expects(const uint8_t *frame, uint32_t length) {
  uint8_t hash[64];
  bf_sha512 s;
  domain_begin(&s, DOMAIN_FRAME, sizeof DOMAIN_FRAME - 1);
  bf_sha512_update(&s, frame, length);
  bf_sha512_final(&s, hash);
  return bf_equal(hash, expected.frame, sizeof expected.frame) != 0;
}

void file_expect(uint8_t *hash) {
  bf_copy(expected.frame, hash, sizeof expected.frame);
  bf_wipe(hash, sizeof expected.frame);
}

void file_check_root(const uint8_t root[64]) {
  if (!bf_equal(root, expected.root, sizeof expected.root))
    session_abort(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
}

void file_end(void) {
  if (!is_zero(expected.frame, sizeof expected.frame)) session_abort(ERROR_ORDER, SEALED_END);
}
