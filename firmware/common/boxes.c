/* Boxes both ways: see boxes.h. */
#include "boxes.h"

#include "flag.h"
#include "handshake.h"
#include "sealed.h"
#include "secretbox.h"
#include "section.h"
#include "transport.h"
#include "util.h"

/* A direction of boxes: key of its epoch, chain of the next. */
typedef struct {
  uint8_t chain[KEY];
  uint8_t key[KEY];
  uint32_t last; /* sequence of the last box */
  uint8_t code; /* DIRECTION_..., as nonces have it */
} direction;

static SECTION_SECRET direction in, out; /* r2i from the controller, i2r to it */
static SECTION_SECRET flag keyed;        /* `in` and `out` are set */
static SECTION_SECRET uint8_t reply_box[BOX_REPLY];

/* Box key of `epoch` from its chain, which gives way to the next. */
static void advance(direction *d, uint32_t epoch) {
  uint8_t next[KEY];
  handshake_expand(d->key, d->chain, KEY, LABEL_BOX_KEY, &epoch, sizeof epoch);
  handshake_expand(next, d->chain, KEY, LABEL_NEXT_CHAIN, &epoch, sizeof epoch);
  bf_copy(d->chain, next, KEY);
  bf_wipe(next, sizeof next);
}

static void start_direction(direction *d, uint8_t code, const uint8_t prk[64],
                            const uint8_t th[64], const char *label) {
  handshake_expand(d->chain, prk, 64, label, th, 64);
  d->code = code;
  d->last = 0;
  advance(d, 0);
}

void boxes_start(const uint8_t prk[64], const uint8_t th[64]) {
  start_direction(&out, DIRECTION_I2R, prk, th, LABEL_CHAIN_I2R);
  start_direction(&in, DIRECTION_R2I, prk, th, LABEL_CHAIN_R2I);
  keyed = true;
}

/* Moves to the next sequence, crossing into the next epoch where it begins, and makes its nonce. */
static void next_nonce(direction *d, uint8_t nonce[24]) {
  uint32_t epoch = d->last / PROGRAM_EPOCH_BOXES;
  if (d->last != 0 && d->last % PROGRAM_EPOCH_BOXES == 0) advance(d, epoch);
  d->last++;
  bf_wipe(nonce, 24);
  nonce[0] = d->code;
  nonce[1] = SEALED_BOX_PURPOSE;
  bf_store_le32(nonce + 8, epoch);
  bf_store_le32(nonce + 16, d->last);
}

void boxes_start_file(const uint8_t content_key[KEY]) {
  bf_copy(in.chain, content_key, KEY);
  in.code = DIRECTION_R2I;
  in.last = 0;
  advance(&in, 0);
}

const uint8_t *boxes_next(uint8_t nonce[24]) {
  next_nonce(&in, nonce);
  return in.key;
}

uint32_t boxes_taken(void) {
  return in.last;
}

bool sealed_can_reply(void) {
  return (PROGRAM_FILES && !keyed) || transport_can_reply(out.last + 1);
}

bool sealed_has_keys(void) {
  return keyed;
}

void sealed_reply(reply_kind reply, uint8_t argument, uint32_t answered, const void *body,
                  uint32_t body_length) {
  uint8_t nonce[24], *plain = reply_box + BF_BOX_TAG;
  if (PROGRAM_FILES && !keyed) return;
  next_nonce(&out, nonce);
  bf_wipe(plain, REPLY_PLAIN_SIZE);
  plain[0] = (uint8_t)reply;
  plain[1] = argument;
  bf_store_le32(plain + 4, answered);
  bf_copy(plain + REPLY_BODY, body, body_length);
  bf_secretbox_seal(reply_box, plain, REPLY_PLAIN_SIZE, nonce, out.key);
  transport_reply(out.last, reply_box);
}
