/* Handshake and boxes: see sealed.h. */
#include "sealed.h"

#include "abort.h"
#include "flag.h"
#include "section.h"
#include "rng.h"
#include "secretbox.h"
#include "sha512.h"
#include "transport.h"
#include "util.h"
#include "x25519.h"

/* Sizes and offsets in bytes; those of M1 and M2 as in docs/protocol.md section 4. */
#define KEY 32u
#define M1_PAYLOAD 64u
#define M2_PAYLOAD 64u
#define M2_UNCONFIRMED (M2_PAYLOAD + M2_PAYLOAD_SIZE) /* confirm_r follows, over what is before */
#define M2_VERSION (M2_PAYLOAD + 16u)

_Static_assert(M1_PAYLOAD + M1_PAYLOAD_SIZE == M1_SIZE && M2_UNCONFIRMED + KEY == M2_SIZE,
               "the handshake as protocol.h has it");

/* A direction of boxes (docs/protocol.md section 5): key of its epoch, chain of the next. */
typedef struct {
  uint8_t chain[KEY];
  uint8_t key[KEY];
  uint32_t last; /* sequence of the last box */
  uint8_t code; /* DIRECTION_..., as nonces have it */
} direction;

static SECTION_SECRET direction in, out; /* r2i from the controller, i2r to it */
static SECTION_SECRET flag keyed;        /* `in` and `out` are set */
static SECTION_SECRET uint8_t ephemeral[KEY];
/* The chip's key pair (docs/protocol.md section 8): d; its public half D stays in m1. */
static SECTION_CHIP_KEY struct {
  uint8_t secret[KEY];
  flag drawn;
} chip_key;
static SECTION_SECRET uint8_t reply_box[BOX_REPLY];
static SECTION_LARGE uint8_t stub_hash[STUB_HASH_SIZE];
static SECTION_LARGE uint8_t m1[M1_SIZE];
static SECTION_LARGE uint8_t m2[M2_SIZE];

static const char SUITE[] = SEALED_SUITE;

extern const uint8_t program_length[]; /* the linker's number, not an address */

void sealed_hash_program(void) {
  bf_sha512_once(stub_hash, (const uint8_t *)PROGRAM_START, (size_t)program_length);
  transport_give_program_hash(stub_hash);
}

/* payload1 of M1 up to D: what the stub itself reads of the chip. */
static void write_payload1(uint8_t *to, uint32_t handshake, flash_width psize) {
  bf_wipe(to, CHIP_KEY_OFFSET);
  bf_copy(to, chip_uid(), CHIP_UID_SIZE);
  bf_store_le32(to + 12, chip_idcode());
  bf_store_le32(to + 16, chip_flash_kib() | (uint32_t)PROGRAM_VERSION << 16);
  bf_store_le32(to + 20, chip_optcr());
  bf_store_le32(to + 24, chip_optcr1());
  to[28] = KEY_KIND_RAM;
  to[29] = (uint8_t)handshake;
  to[30] = (uint8_t)psize;
}

/* Draws d and computes D, once until they are wiped. */
static void draw_chip_key(void) {
  if (chip_key.drawn) return;
  rng_draw(chip_key.secret);
  bf_x25519_base(m1 + M1_PAYLOAD + CHIP_KEY_OFFSET, chip_key.secret);
  chip_key.drawn = true;
}

void sealed_offer(uint32_t handshake, flash_width psize) {
  uint32_t failed = rng_seed(current_job.content.is.host_entropy);
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  draw_chip_key();
  rng_draw(ephemeral);
  bf_x25519_base(m1, ephemeral);
  rng_draw(m1 + KEY);
  write_payload1(m1 + M1_PAYLOAD, handshake, psize);
  transport_give_m1(m1);
}

/* What the transcript hash is of, in its order; M2 as far as it is not yet confirmed. */
static const bf_part TRANSCRIPT[] = {
    {(const uint8_t *)SUITE, sizeof SUITE - 1},
    {(const uint8_t *)SEALED_PURPOSE, sizeof SEALED_PURPOSE - 1},
    {current_job.content.is.sealed_key, KEY},
    {stub_hash, sizeof stub_hash},
    {current_job.plan_hash, sizeof current_job.plan_hash},
    {m1, M1_SIZE},
    {m2, M2_UNCONFIRMED},
};

/* th = SHA-512 of all parts, each with its length in two bytes in front. */
static void hash_transcript(uint8_t th[64]) {
  bf_sha512 s;
  bf_sha512_init(&s);
  for (uint32_t i = 0; i < sizeof TRANSCRIPT / sizeof TRANSCRIPT[0]; i++) {
    uint32_t length = TRANSCRIPT[i].len;
    bf_sha512_update(&s, (const uint8_t *)&length, 2);
    bf_sha512_update(&s, TRANSCRIPT[i].data, length);
  }
  bf_sha512_final(&s, th);
}

/* shared = X25519(secret, point). Fails when it is zero. */
static void agree(uint8_t shared[KEY], const uint8_t secret[KEY], const uint8_t point[KEY]) {
  if (bf_x25519(shared, secret, point)) session_abort(ERROR_ZERO_SECRET, 0);
}

/* A string as a part of something hashed. */
static bf_part text(const char *string) {
  bf_part part = {(const uint8_t *)string, 0};
  while (string[part.len] != 0) part.len++;
  return part;
}

/* prk = HMAC(key, ikm); wipes ikm, of `length` bytes. */
static void extract(uint8_t prk[64], const char *key, uint8_t *ikm, uint32_t length) {
  bf_part name = text(key), part = {ikm, length};
  bf_hmac_parts(prk, name.data, name.len, &part, 1);
  bf_wipe(ikm, length);
}

/* to = HKDF-Expand(from, label || more, KEY); `from` has `length` bytes. */
static void expand(uint8_t to[KEY], const uint8_t *from, uint32_t length, const char *label,
                   const void *more, uint32_t more_length) {
  bf_part info[] = {text(label), {more, more_length}};
  (void)bf_hkdf_expand(to, KEY, from, length, info, 2);
}

/* mac = HMAC(K(label), th || the first `more` bytes of confirm_r)[0..32]. */
static void confirmation(uint8_t mac[KEY], const uint8_t prk[64], const uint8_t th[64],
                         const char *label, uint32_t more) {
  uint8_t key[KEY], whole[64];
  bf_part parts[] = {{th, 64}, {m2 + M2_UNCONFIRMED, more}};
  expand(key, prk, 64, label, th, 64);
  bf_hmac_parts(whole, key, KEY, parts, 2);
  bf_copy(mac, whole, KEY);
  bf_wipe(key, sizeof key);
  bf_wipe(whole, sizeof whole);
}

/* Box key of `epoch` from its chain, which gives way to the next. */
static void advance(direction *d, uint32_t epoch) {
  uint8_t next[KEY];
  expand(d->key, d->chain, KEY, LABEL_BOX_KEY, &epoch, sizeof epoch);
  expand(next, d->chain, KEY, LABEL_NEXT_CHAIN, &epoch, sizeof epoch);
  bf_copy(d->chain, next, KEY);
  bf_wipe(next, sizeof next);
}

static void start_direction(direction *d, uint8_t code, const uint8_t prk[64],
                            const uint8_t th[64], const char *label) {
  expand(d->chain, prk, 64, label, th, 64);
  d->code = code;
  d->last = 0;
  advance(d, 0);
}

static void check_confirmation(const uint8_t prk[64], const uint8_t th[64]) {
  uint8_t expected[KEY];
  confirmation(expected, prk, th, LABEL_CONFIRM_R, 0);
  if (!bf_equal(expected, m2 + M2_UNCONFIRMED, KEY)) session_abort(ERROR_CONFIRM_WRONG, 0);
  if (m2[M2_VERSION] != SEALED_VERSION) session_abort(ERROR_CONFIRM_WRONG, m2[M2_VERSION]);
  for (uint32_t i = M2_VERSION + 1; i < M2_UNCONFIRMED; i++)
    if (m2[i] != 0) session_abort(ERROR_CONFIRM_WRONG, i);
}

/* prk0 of docs/protocol.md section 4, psk being zero in host-blind. The ephemeral is used up. */
static void agree_ephemeral(uint8_t prk[64]) {
  uint8_t ikm[3 * KEY];
  bf_wipe(ikm, sizeof ikm);
  agree(ikm, ephemeral, m2);
  agree(ikm + KEY, ephemeral, current_job.content.is.sealed_key);
  bf_wipe(ephemeral, sizeof ephemeral);
  extract(prk, EXTRACT_SHARED, ikm, sizeof ikm);
}

/* prk0 becomes prk: the chip's key goes into all that follows. */
static void mix_chip_key(uint8_t prk[64], const uint8_t th[64]) {
  uint8_t ikm[2 * KEY];
  expand(ikm, prk, 64, LABEL_CHIP_KEY, th, 64);
  agree(ikm + KEY, chip_key.secret, m2);
  extract(prk, EXTRACT_CHIP_KEY, ikm, sizeof ikm);
}

void sealed_confirm(void) {
  uint8_t th[64], prk[64], confirm[KEY];
  transport_take_m2(m2);
  hash_transcript(th);
  agree_ephemeral(prk);
  check_confirmation(prk, th);
  mix_chip_key(prk, th);
  confirmation(confirm, prk, th, LABEL_CONFIRM_I, KEY);
  transport_give_m3(confirm);
  start_direction(&out, DIRECTION_I2R, prk, th, LABEL_CHAIN_I2R);
  start_direction(&in, DIRECTION_R2I, prk, th, LABEL_CHAIN_R2I);
  bf_wipe(prk, sizeof prk);
  keyed = true;
}

/* Moves to the next sequence, crossing into the next epoch where it begins, and makes its nonce. */
static void next_nonce(direction *d, uint8_t nonce[24]) {
  uint32_t epoch = d->last / SEALED_EPOCH_BOXES;
  if (d->last != 0 && d->last % SEALED_EPOCH_BOXES == 0) advance(d, epoch);
  d->last++;
  bf_wipe(nonce, 24);
  nonce[0] = d->code;
  nonce[1] = SEALED_BOX_PURPOSE;
  bf_store_le32(nonce + 8, epoch);
  bf_store_le32(nonce + 16, d->last);
}

void sealed_open(uint8_t *box, uint32_t length) {
  uint8_t nonce[24];
  next_nonce(&in, nonce);
  if (bf_secretbox_open(box, box, length, nonce, in.key)) session_abort(ERROR_BOX_FAILED, in.last);
}

bool sealed_can_reply(void) {
  return transport_can_reply(out.last + 1);
}

bool sealed_has_keys(void) {
  return keyed;
}

void sealed_reply(reply_kind reply, uint8_t argument, uint32_t answered, const void *body,
                  uint32_t body_length) {
  uint8_t nonce[24], *plain = reply_box + BF_BOX_TAG;
  next_nonce(&out, nonce);
  bf_wipe(plain, REPLY_PLAIN_SIZE);
  plain[0] = (uint8_t)reply;
  plain[1] = argument;
  bf_store_le32(plain + 4, answered);
  bf_copy(plain + REPLY_BODY, body, body_length);
  bf_secretbox_seal(reply_box, plain, REPLY_PLAIN_SIZE, nonce, out.key);
  transport_reply(out.last, reply_box);
}
