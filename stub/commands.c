/* The commands: see commands.h. One table says where, in which state and when a command may run; then one function each. */
#include "commands.h"

#include "digest.h"
#include "flash.h"
#include "mbox.h"
#include "outcome.h"
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
  const job *job;
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
static SECRET uint8_t root[64];

typedef run_result handler(const frame *f, uint32_t *ticket);
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

static run_result failed(uint32_t error, uint32_t detail) {
  (void)fail(error, detail);
  return RUN_FAILED;
}

static int is_zero(const uint8_t *from, const uint8_t *to) {
  uint32_t any = 0;
  while (from < to) any |= *from++;
  return any == 0;
}

void commands_begin(const job *j, uint32_t psize) {
  bf_wipe(&w, sizeof w);
  w.job = j;
  w.psize = psize;
  flash_begin(psize);
}

void commands_finish_erase(void) {
  if (!w.erasing || !flash_done(w.erase_ticket) || !mbox_room(session_next_reply())) return;
  w.erasing = 0;
  session_reply(ERASED, w.erase_sector, w.erase_sequence, 0, 0);
  mbox_publish();
}

static int form_good(const command *c, const frame *f) {
  if (c->run == run_image) return f->size == IMAGE_SIZE;
  return f->size == COMMAND_SIZE && is_zero(f->bytes + c->used, f->bytes + f->size);
}

run_result commands_run(const frame *f, uint32_t *ticket) {
  uint32_t kind = f->bytes[0];
  for (uint32_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
    const command *c = &COMMANDS[i];
    if (c->kind != kind) continue;
    if (!form_good(c, f)) return failed(ERROR_MALFORMED_FRAME, kind);
    if ((c->states >> mbox_state() & 1u) == 0 || (c->jobs >> w.job->plan.kind & 1u) == 0) return failed(ERROR_ORDER, kind);
    if (c->answers && (!flash_idle() || w.erasing || !mbox_room(session_next_reply()))) return RUN_LATER;
    return c->run(f, ticket);
  }
  return failed(ERROR_MALFORMED_FRAME, kind);
}

static run_result run_image(const frame *f, uint32_t *ticket) {
  const plan *p = &w.job->plan;
  uint32_t count = f->bytes[2] | (uint32_t)f->bytes[3] << 8, address = bf_load_le32(f->bytes + 4);
  const uint8_t *data = f->bytes + IMAGE_HEAD;
  int form = f->bytes[1] == 0 && is_zero(f->bytes + 8, data) && count >= 4 && count <= IMAGE_MOST &&
             ((count | address) & 3u) == 0 && is_zero(data + count, f->bytes + f->size);
  if (!form) return failed(ERROR_MALFORMED_FRAME, IMAGE);
  if (!plan_may_program(p, address, count) || spans_meet(address, count, p->boot, BOOT_BYTES))
    return failed(ERROR_OUTSIDE_PLAN, address);
  uint32_t sector = chip_find_sector(&w.job->chip, address, count);
  if ((w.erased >> sector & 1u) == 0 || address < w.next_address) return failed(ERROR_ORDER, IMAGE);
  if (!flash_room()) return RUN_LATER;
  w.next_address = address + count;
  *ticket = flash_program(address, (uint32_t *)(uintptr_t)data, count);
  return RUN_DONE;
}

static run_result run_erase(const frame *f, uint32_t *ticket) {
  (void)ticket;
  const plan *p = &w.job->plan;
  uint32_t number = f->bytes[1];
  if (number >= CHIP_SECTORS || (p->sectors >> number & 1u) == 0) return failed(ERROR_OUTSIDE_PLAN, number);
  uint32_t first = p->kind == KIND_FLASH ? chip_find_sector(&w.job->chip, p->boot, BOOT_BYTES) : number;
  if ((w.erased >> number & 1u) != 0 || (w.erased == 0 && number != first)) return failed(ERROR_ORDER, ERASE);
  if (w.erasing || !flash_room()) return RUN_LATER;
  flash_unlock();
  w.erased |= 1u << number;
  w.erasing = 1;
  w.erase_sector = (uint8_t)number;
  w.erase_sequence = f->sequence;
  w.erase_ticket = flash_erase(number, chip_sector_at(&w.job->chip, number));
  return RUN_DONE;
}

static run_result run_digest(const frame *f, uint32_t *ticket) {
  (void)ticket;
  uint32_t index = f->bytes[1];
  if (index >= w.job->plan.ranges) return failed(ERROR_OUTSIDE_PLAN, index);
  digest_range(&w.job->plan, index, root);
  session_reply(DIGESTED, (uint8_t)index, f->sequence, root, sizeof root);
  return RUN_DONE;
}

/* Boot words 4..15, 2, 3, then 0, last of all 1: a cut anywhere before leaves a chip that does not start. */
static int program_boot_words(void) {
  static const uint8_t ORDER[][2] = {{4, 12}, {2, 1}, {3, 1}, {0, 1}, {1, 1}};
  for (uint32_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
    uint32_t first = ORDER[i][0];
    (void)flash_program(w.job->plan.boot + 4 * first, boot_words + first, 4u * ORDER[i][1]);
  }
  return flash_wait();
}

static run_result run_final(const frame *f, uint32_t *ticket) {
  (void)ticket;
  const plan *p = &w.job->plan;
  chip_sector sector = chip_sector_at(&w.job->chip, chip_find_sector(&w.job->chip, p->boot, BOOT_BYTES));
  if (!is_zero(f->bytes + 1, f->bytes + FINAL_ROOT)) return failed(ERROR_MALFORMED_FRAME, FINAL);
  if (w.erased == 0) return failed(ERROR_ORDER, FINAL);
  digest_root(w.job, 0, root);
  if (!bf_equal(root, f->bytes + FINAL_ROOT, sizeof root)) return failed(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
  if (digest_check_blank(w.job, w.erased)) return RUN_FAILED;
  bf_copy((uint8_t *)boot_words, f->bytes + FINAL_BOOT, BOOT_BYTES);
  if (program_boot_words()) return RUN_FAILED;
  flash_stop();
  uint8_t body[72];
  digest_root(w.job, &sector, body);
  bf_store_le32(body + 64, flash_words());
  bf_store_le32(body + 68, FLASH_OPTCR);
  session_reply(WRITTEN, (uint8_t)w.psize, f->sequence, body, sizeof body);
  mbox_set_state(STATE_WRITTEN);
  return RUN_DONE;
}

static run_result run_lock(const frame *f, uint32_t *ticket) {
  (void)ticket;
  if (!w.job->plan.lock) return failed(ERROR_ORDER, LOCK);
  if (flash_protect()) return RUN_FAILED;
  uint32_t body[2] = {FLASH_OPTCR, FLASH_OPTCR1};
  session_reply(LOCKED, (uint8_t)chip_is_level1(body[0]), f->sequence, body, sizeof body);
  mbox_set_state(STATE_LOCKED);
  return RUN_DONE;
}

static void reply_words(uint8_t kind, const frame *f) {
  uint32_t words = flash_words();
  session_reply(kind, 0, f->sequence, &words, sizeof words);
}

static run_result run_end(const frame *f, uint32_t *ticket) {
  (void)ticket;
  if (w.job->plan.kind == KIND_FLASH && mbox_state() == STATE_ACTIVE) return failed(ERROR_ORDER, END);
  reply_words(ENDED, f);
  return RUN_ENDED;
}

static run_result run_ping(const frame *f, uint32_t *ticket) {
  (void)ticket;
  reply_words(PONG, f);
  return RUN_DONE;
}

static run_result run_abort(const frame *f, uint32_t *ticket) {
  (void)f, (void)ticket;
  return failed(ERROR_CONTROLLER_STOPPED, 0);
}
