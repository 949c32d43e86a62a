/* Digests as ranges are programmed: see digest.h. */
#include "digest.h"

#include "abort.h"
#include "activity.h"
#include "domain.h"
#include "flash.h"
#include "section.h"
#include "sha512.h"
#include "transport.h"
#include "util.h"

#define CHUNK 1024u /* bytes between two looks at the host command */
#define NONE 0xFFFFFFFFu

static SECTION_SECRET uint8_t digests[PLAN_MAX_RANGES][64];
static SECTION_SECRET bf_sha512 running; /* of range `followed`, up to `next` */
static uint32_t followed;                /* index of the range, or NONE */
static uint32_t next;                    /* address */
static SECTION_LARGE uint8_t known[PLAN_MAX_RANGES]; /* 1: digests[] has that of the range */

void digest_begin(void) {
  followed = NONE;
  bf_wipe(known, sizeof known);
}

void digest_forget(const plan *p, chip_sector sector) {
  for (uint32_t i = 0; i < p->count; i++)
    if (p->range[i].address - sector.address < sector.size) known[i] = 0;
}

static void feed(const uint8_t *data, uint32_t bytes) {
  bf_sha512_update(&running, data, bytes);
  next += bytes;
}

static void begin_range(uint32_t index, uint32_t address) {
  followed = index;
  next = address;
  bf_sha512_init(&running);
}

static void end_range(void) {
  bf_sha512_final(&running, digests[followed]);
  known[followed] = 1;
  followed = NONE;
}

void digest_follow(const plan *p, uint32_t address, const uint8_t *data, uint32_t bytes,
                   const uint8_t *boot_prefix) {
  uint32_t index = plan_find_range(p, address, bytes);
  plan_range r = p->range[index];
  uint32_t from = boot_prefix ? address - FLASH_BOOT_PREFIX : address;
  known[index] = 0;
  if (index != followed && from == r.address) begin_range(index, from);
  if (index != followed || from != next) return;
  if (boot_prefix) feed(boot_prefix, FLASH_BOOT_PREFIX);
  feed(data, bytes);
  if (next == r.address + r.length) end_range();
}

/* The host may stop a digest, which takes up to 2 s. */
static void look_at_host_command(void) {
  host_command command = *transport_host_command();
  if (command == HOST_COMMAND_ABORT || command == HOST_COMMAND_HANDSHAKE)
    session_abort(ERROR_AGENT_STOPPED, 0);
}

/* Hashes what is still missing of a range, or all of it, from flash. */
static void read_range(const plan *p, uint32_t index) {
  plan_range r = p->range[index];
  if (index != followed) begin_range(index, r.address);
  activity_begin(ACTIVITY_DIGESTING, index);
  while (next != r.address + r.length) {
    uint32_t left = r.address + r.length - next;
    feed((const uint8_t *)next, left < CHUNK ? left : CHUNK);
    look_at_host_command();
  }
  end_range();
  activity_begin(ACTIVITY_IDLE, 0);
}

void digest_root(const plan *p, uint32_t first, uint32_t count, uint8_t root[64]) {
  bf_sha512 s;
  domain_begin(&s, DOMAIN_ROOT, sizeof DOMAIN_ROOT - 1);
  bf_sha512_update(&s, (const uint8_t *)&count, sizeof count);
  for (uint32_t i = first; i < first + count; i++) {
    if (!known[i]) read_range(p, i);
    bf_sha512_update(&s, (const uint8_t *)&p->range[i], 8); /* address, length */
    bf_sha512_update(&s, digests[i], 64);
  }
  bf_sha512_final(&s, root);
}
