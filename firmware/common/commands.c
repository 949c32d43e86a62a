/* The commands: see commands.h. One table says where, in which state and when a command may run; then one function each. */
#include "commands.h"

#include "digest.h"
#include "flash.h"
#include "mailbox_transport.h"
#include "abort.h"
#include "registers.h"
#include "session.h"
#include "util.h"
#include "wipe.h"

#define IMAGE_HEAD 16u
#define IMAGE_MOST 4032u
#define IMAGE_SIZE (BOX_IMAGE - 16u)
#define COMMAND_SIZE (BOX_COMMAND - 16u)
#define FINAL_ROOT 16u
#define FINAL_BOOT 80u
#define FINAL_USED 144u

enum { IMAGE = 1, ERASE, DIGEST, FINAL, LOCK, END, PING, ABORT = 0x7F };
enum { ERASED = 0x82, DIGESTED, WRITTEN, LOCKED, ENDED, PONG };

typedef struct {
  uint32_t psize;
  uint32_t erased;       /* sectors, this session */
  uint32_t next_address; /* of IMAGE: addresses ascend */
  uint32_t erase_ticket; /* of the erase not yet answered, when erasing is set */
  uint32_t erase_sequence;
  uint8_t erase_sector;
  uint8_t erasing;
} work;

static work w;
static SECRET uint32_t boot_words[BOOT_BYTES / 4];

typedef void handler(frame *f);
static handler run_image, run_erase, run_digest, run_final, run_lock, run_end, run_ping, run_abort;

#define IN(state) (1u << STATE_##state)
#define JOB(kind) (1u << KIND_##kind)
#define ANY_JOB 0x3Eu
#define ANY_STATE (IN(ACTIVE) | IN(WRITTEN) | IN(LOCKED))

typedef struct {
  uint8_t kind;
  uint8_t states;    /* bit mask */
  uint8_t jobs;      /* bit mask of plan kinds */
  uint8_t used;      /* bytes; the rest of a command is zero */
  uint8_t answers;   /* waits for the engine to be idle and for room in the reply ring */
  handler *run;
} command;

static const command COMMANDS[] = {
    {IMAGE, IN(ACTIVE), JOB(FLASH), 0, 0, run_image},
    {ERASE, IN(ACTIVE), JOB(FLASH) | JOB(ERASE), 2, 0, run_erase},
    {DIGEST, IN(ACTIVE), JOB(FLASH) | JOB(VERIFY), 2, 1, run_digest},
    {FINAL, IN(ACTIVE), JOB(FLASH), FINAL_USED, 1, run_final},
    {LOCK, IN(WRITTEN), JOB(FLASH), 1, 1, run_lock},
    {END, ANY_STATE, ANY_JOB, 1, 1, run_end},
    {PING, ANY_STATE, ANY_JOB, 1, 1, run_ping},
    {ABORT, ANY_STATE, ANY_JOB, 1, 0, run_abort},
};

static int is_zero(const uint8_t *from, const uint8_t *to) {
  uint32_t any = 0;
  while (from < to) any |= *from++;
  return any == 0;
}

void commands_begin(uint32_t psize) {
  bf_wipe(&w, sizeof w);
  w.psize = psize;
  flash_begin(psize);
  digest_begin();
}

void commands_finish_erase(void) {
  if (!w.erasing || !flash_done(w.erase_ticket) || !session_room()) return;
  w.erasing = 0;
  session_reply(ERASED, w.erase_sector, w.erase_sequence, 0, 0);
  mbox_publish();
}

static int form_good(const command *c, const frame *f) {
  if (c->run == run_image) return f->size == IMAGE_SIZE;
  return f->size == COMMAND_SIZE && is_zero(f->bytes + c->used, f->bytes + f->size);
}

int commands_run(frame *f, int quiet) {
  uint32_t kind = f->bytes[0];
  const command *c = COMMANDS;
  while (c->kind != kind)
    if (++c == COMMANDS + sizeof COMMANDS / sizeof COMMANDS[0]) fail(ERROR_MALFORMED_FRAME, kind);
  if (!form_good(c, f)) fail(ERROR_MALFORMED_FRAME, kind);
  if ((c->states >> mbox_state() & 1u) == 0 || (c->jobs >> THE_PLAN->kind & 1u) == 0) fail(ERROR_ORDER, kind);
  int ready = c->answers ? quiet && flash_idle() && !w.erasing && session_room() : flash_room() && !(kind == ERASE && w.erasing);
  if (ready) c->run(f);
  return ready;
}

static void run_image(frame *f) {
  const plan *p = THE_PLAN;
  uint32_t count = f->bytes[2] | (uint32_t)f->bytes[3] << 8, address = bf_load_le32(f->bytes + 4);
  uint8_t *data = f->bytes + IMAGE_HEAD;
  int form = f->bytes[1] == 0 && is_zero(f->bytes + 8, data) && count >= 4 && count <= IMAGE_MOST &&
             ((count | address) & 3u) == 0 && is_zero(data + count, f->bytes + f->size);
  if (!form) fail(ERROR_MALFORMED_FRAME, IMAGE);
  if (plan_find_range(p, address, count) == p->count || spans_meet(address, count, p->boot, BOOT_BYTES))
    fail(ERROR_OUTSIDE_PLAN, address);
  uint32_t sector = chip_find_sector(&the_job.chip, address, count);
  if ((w.erased >> sector & 1u) == 0 || address < w.next_address) fail(ERROR_ORDER, IMAGE);
  w.next_address = address + count;
  f->lead = address == p->boot + BOOT_BYTES ? (uint8_t *)boot_words : 0;
  f->address = address;
  f->count = count;
  f->ticket = flash_program(address, (uint32_t *)(uintptr_t)data, count, f->lead);
}

void commands_follow(const frame *f) {
  digest_follow(THE_PLAN, f->address, f->bytes + IMAGE_HEAD, f->count, f->lead);
}

static void run_erase(frame *f) {
  const plan *p = THE_PLAN;
  uint32_t number = f->bytes[1];
  if (number >= CHIP_SECTORS || (p->sectors >> number & 1u) == 0) fail(ERROR_OUTSIDE_PLAN, number);
  uint32_t first = p->kind == KIND_FLASH ? chip_find_sector(&the_job.chip, p->boot, BOOT_BYTES) : number;
  if ((w.erased >> number & 1u) != 0 || (w.erased == 0 && number != first)) fail(ERROR_ORDER, ERASE);
  chip_sector sector = chip_sector_at(&the_job.chip, number);
  digest_forget(p, sector);
  flash_unlock();
  w.erased |= 1u << number;
  w.erasing = 1;
  w.erase_sector = (uint8_t)number;
  w.erase_sequence = f->sequence;
  w.erase_ticket = flash_erase(number, sector);
}

static void answer(uint8_t kind, uint32_t argument, const frame *f, const void *body, uint32_t bytes) {
  session_reply(kind, (uint8_t)argument, f->sequence, body, bytes);
}

static void run_digest(frame *f) {
  uint32_t index = f->bytes[1];
  if (index >= THE_PLAN->count) fail(ERROR_OUTSIDE_PLAN, index);
  answer(DIGESTED, index, f, digest_range(THE_PLAN, index), 64);
}

/* Boot words 4..15, 2, 3, then 0, last of all 1: a cut anywhere before leaves a chip that does not start. */
static void program_boot_words(void) {
  static const uint8_t ORDER[][2] = {{4, 12}, {2, 1}, {3, 1}, {0, 1}, {1, 1}};
  for (uint32_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
    uint32_t first = ORDER[i][0];
    (void)flash_program(THE_PLAN->boot + 4 * first, boot_words + first, 4u * ORDER[i][1], 0);
  }
  flash_wait();
  bf_wipe(boot_words, sizeof boot_words);
}

static void run_final(frame *f) {
  const plan *p = THE_PLAN;
  chip_sector sector = chip_sector_at(&the_job.chip, chip_find_sector(&the_job.chip, p->boot, BOOT_BYTES));
  uint8_t body[72];
  if (!is_zero(f->bytes + 1, f->bytes + FINAL_ROOT)) fail(ERROR_MALFORMED_FRAME, FINAL);
  if (w.erased == 0) fail(ERROR_ORDER, FINAL);
  digest_root(p, body);
  if (!bf_equal(body, f->bytes + FINAL_ROOT, 64)) fail(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
  digest_check_blank(&the_job, w.erased);
  bf_copy((uint8_t *)boot_words, f->bytes + FINAL_BOOT, BOOT_BYTES);
  program_boot_words();
  flash_stop();
  digest_forget(p, sector);
  digest_root(p, body);
  bf_store_le32(body + 64, flash_words());
  bf_store_le32(body + 68, FLASH_OPTCR);
  answer(WRITTEN, w.psize, f, body, sizeof body);
  mbox_set_state(STATE_WRITTEN);
}

static void run_lock(frame *f) {
  if (!THE_PLAN->lock) fail(ERROR_ORDER, LOCK);
  flash_protect();
  uint32_t body[2] = {FLASH_OPTCR, CHIP_OPTCR1};
  answer(LOCKED, (uint32_t)chip_is_level1(body[0]), f, body, sizeof body);
  mbox_set_state(STATE_LOCKED);
}

static void answer_words(uint8_t kind, const frame *f) {
  uint32_t words = flash_words();
  answer(kind, 0, f, &words, sizeof words);
}

static void run_end(frame *f) {
  if (THE_PLAN->kind == KIND_FLASH && mbox_state() == STATE_ACTIVE) fail(ERROR_ORDER, END);
  answer_words(ENDED, f);
  f->last = 1;
}

static void run_ping(frame *f) {
  answer_words(PONG, f);
}

static void run_abort(frame *f) {
  (void)f;
  fail(ERROR_CONTROLLER_STOPPED, 0);
}
