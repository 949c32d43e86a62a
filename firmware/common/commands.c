/* The sealed commands, see commands.h: a table of when each may run, then one function each. */
#include "commands.h"

#include "abort.h"
#include "digest.h"
#include "domain.h"
#include "flag.h"
#include "flash.h"
#include "program.h"
#include "questions.h"
#include "sealed.h"
#include "section.h"
#include "session.h"
#include "sha512.h"
#include "supply.h"
#include "tick.h"
#include "transport.h"
#include "util.h"

/* Offsets in the plaintext (docs/protocol.md section 8), bytes. */
#define IMAGE_HEAD 16u
#define DIGEST_EXPECTED 16u
#define DIGEST_USED 80u
#define FINAL_ROOT 16u
#define FINAL_BOOT 80u
#define FINAL_USED 144u
/* Offsets in the body of WRITTEN, bytes. */
#define WRITTEN_WORDS 64u
#define WRITTEN_OPTCR 68u
#define WRITTEN_SPENT 72u
#define SPENT_SIZE 12u

/* What the commands of a session have done so far. */
static struct {
  flash_width psize;
  uint32_t erased;       /* sectors, a bit each */
  uint32_t next_address; /* of IMAGE: addresses ascend */
  uint32_t erase_operation; /* of the flash engine: the erase not yet answered */
  uint32_t erase_sequence;
  uint8_t erase_sector;
  bool erasing; /* there is such an erase */
  /* ERASE of all: the sectors it dealt with and that were not asked for one by one since, how */
  uint32_t dealt_with;
  erased_how how;
  /* the plan allows it, and this stub had erased and programmed nothing when the session began */
  bool trusts_blank;
  bool looked;    /* `blank` is known */
  uint32_t blank; /* sectors of the plan that read blank before anything was changed, a bit each */
} work;

/* This stub has erased or programmed something in its life. */
static bool changed_flash;

static SECTION_SECRET uint32_t boot_words[BOOT_BYTES / 4];

typedef void handler(sealed_command *command);
static handler run_image, run_erase, run_digest, run_final, run_lock, run_end, run_ping, run_abort;

#define IN(state) (1u << STATE_##state)
#define OF(kind) (1u << KIND_##kind)
#define ANY_STATE (IN(ACTIVE) | IN(WRITTEN) | IN(LOCKED))

typedef struct {
  uint8_t command; /* sealed_command_kind */
  uint8_t states;  /* bit mask of session_state */
  program_kinds kinds; /* bit mask of plan_kind */
  uint8_t used;    /* bytes of the plaintext; the rest is zero */
  bool answers;    /* waits for the engine to be idle and until a reply may be given */
  handler *run;
} command_rule;

static const command_rule RULES[] = {
    {SEALED_IMAGE, IN(ACTIVE), OF(FLASH), 0, false, run_image},
    {SEALED_ERASE, IN(ACTIVE), OF(FLASH) | OF(ERASE), 3, false, run_erase},
    {SEALED_DIGEST, IN(ACTIVE), OF(FLASH) | OF(VERIFY), DIGEST_USED, true, run_digest},
    {SEALED_FINAL, IN(ACTIVE), OF(FLASH), FINAL_USED, true, run_final},
    {SEALED_LOCK, IN(WRITTEN), OF(FLASH), 1, true, run_lock},
    {SEALED_END, ANY_STATE, PROGRAM_ANY_KIND, 1, true, run_end},
    {SEALED_PING, ANY_STATE, PROGRAM_ANY_KIND, 1, true, run_ping},
    {SEALED_ABORT, ANY_STATE, PROGRAM_ANY_KIND, 1, false, run_abort},
};

static bool is_zero(const uint8_t *from, const uint8_t *to) {
  uint32_t any = 0;
  while (from < to) any |= *from++;
  return any == 0;
}

void commands_begin(flash_width psize) {
  bf_wipe(&work, sizeof work);
  work.psize = psize;
  work.trusts_blank =
      PROGRAM_TRUSTS_BLANK && !changed_flash && (job_plan()->flags & FLAG_ALWAYS_ERASE) == 0;
  for (uint32_t i = 0; i < TICK_ACTIVITIES; i++) tick_spent[i] = 0;
  flash_begin(psize);
  digest_begin();
}

static void reply_erased(uint32_t sector, uint32_t sequence, uint32_t how) {
  sealed_reply(REPLY_ERASED, (uint8_t)sector, sequence, &how, sizeof how);
}

void commands_finish_erase(void) {
  if (!work.erasing || !flash_done(work.erase_operation) || !sealed_can_reply()) return;
  work.erasing = false;
  reply_erased(work.erase_sector, work.erase_sequence,
               work.erase_sector == ERASE_ALL ? ERASED_ALL_AT_ONCE : ERASED_ERASED);
  transport_publish();
}

/* IMAGE has a size of its own or, a short one, that of all others; what is not used is zero. */
static bool form_good(const command_rule *rule, const sealed_command *command) {
  if (rule->run == run_image)
    return command->size == PROGRAM_IMAGE_PLAIN || command->size == COMMAND_PLAIN_SIZE;
  return command->size == COMMAND_PLAIN_SIZE &&
         is_zero(command->bytes + rule->used, command->bytes + command->size);
}

/* A reply may be given, and none is still to come for an erase. */
static bool may_answer(void) {
  return !work.erasing && sealed_can_reply();
}

/* An ERASE that need not look at flash first, which takes an idle engine. */
static bool erase_is_plain(const sealed_command *command) {
  return work.looked || command->bytes[2] == 0;
}

/* The flash engine and the replies under way let the command run now. */
static bool is_ready(const command_rule *rule, const sealed_command *command, bool quiet) {
  if (rule->answers) return quiet && flash_idle() && may_answer();
  if (rule->command != SEALED_ERASE) return flash_can_queue();
  return may_answer() && (erase_is_plain(command) ? flash_can_queue() : flash_idle());
}

bool commands_run(sealed_command *command, bool quiet) {
  uint32_t command_kind = command->bytes[0];
  const command_rule *rule = RULES;
  while (rule->command != command_kind)
    if (++rule == RULES + sizeof RULES / sizeof RULES[0])
      session_abort(ERROR_MALFORMED_COMMAND, command_kind);
  if (!form_good(rule, command)) session_abort(ERROR_MALFORMED_COMMAND, command_kind);
  if ((rule->states >> session_current() & 1u) == 0 || (rule->kinds >> job_plan()->kind & 1u) == 0)
    session_abort(ERROR_ORDER, command_kind);
  if (!is_ready(rule, command, quiet)) return false;
  rule->run(command);
  return true;
}

/*
 * Queues the image bytes: inside one range to program, not the boot words, in a sector erased
 * before, upwards.
 */
static void run_image(sealed_command *command) {
  const plan *p = job_plan();
  uint32_t count = command->bytes[2] | (uint32_t)command->bytes[3] << 8;
  uint32_t address = bf_load_le32(command->bytes + 4);
  uint8_t *data = command->bytes + IMAGE_HEAD;
  uint32_t most = command->size == COMMAND_PLAIN_SIZE ? COMMAND_PLAIN_SIZE - IMAGE_HEAD
                                                      : PROGRAM_IMAGE_DATA;
  flag well_formed = command->bytes[1] == 0 && is_zero(command->bytes + 8, data) && count >= 4 &&
                     count <= most && ((count | address) & 3u) == 0 &&
                     is_zero(data + count, command->bytes + command->size);
  if (!well_formed) session_abort(ERROR_MALFORMED_COMMAND, SEALED_IMAGE);
  if (plan_find_range(p, address, count) == p->count ||
      ranges_overlap(address, count, p->boot, BOOT_BYTES))
    session_abort(ERROR_OUTSIDE_PLAN, address);
  uint32_t sector = chip_find_sector(&current_job.chip, address, count);
  if ((work.erased >> sector & 1u) == 0 || address < work.next_address)
    session_abort(ERROR_ORDER, SEALED_IMAGE);
  work.next_address = address + count;
  changed_flash = true;
  command->boot_prefix = address == p->boot + BOOT_BYTES ? (uint8_t *)boot_words : 0;
  command->address = address;
  command->count = count;
  command->operation =
      flash_program(address, (uint32_t *)(uintptr_t)data, count, command->boot_prefix);
}

void commands_follow(const sealed_command *command) {
  digest_follow(job_plan(), command->address, command->bytes + IMAGE_HEAD, command->count,
                command->boot_prefix);
}

/* Looks once which sectors of the plan read blank, so that later nothing waits for it. */
static void look_for_blank(const plan *p) {
  if (work.looked) return;
  work.looked = true;
  for (uint32_t i = 0; i < CHIP_SECTORS && work.trusts_blank; i++)
    if ((p->sectors >> i & 1u) != 0 && digest_is_blank(chip_sector_at(&current_job.chip, i)))
      work.blank |= 1u << i;
}

/*
 * The sectors of `mask` that are to be erased: all, or those that do not read blank. What was
 * hashed of them is forgotten.
 */
static uint32_t sectors_to_erase(const plan *p, uint32_t mask, bool unless_blank) {
  for (uint32_t i = 0; i < CHIP_SECTORS; i++)
    if ((mask >> i & 1u) != 0) digest_forget(p, chip_sector_at(&current_job.chip, i));
  if (!unless_blank) return mask;
  look_for_blank(p);
  return mask & ~work.blank;
}

static void start_erase(const sealed_command *command, uint32_t sector, uint32_t address) {
  changed_flash = true;
  work.erasing = true;
  work.erase_sector = (uint8_t)sector;
  work.erase_sequence = command->sequence;
  work.erase_operation = flash_erase(sector, address);
}

/* Every sector of the chip. */
static uint32_t all_sectors(void) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < CHIP_SECTORS; i++)
    if (chip_sector_at(&current_job.chip, i).size != 0) mask |= 1u << i;
  return mask;
}

/*
 * The words the chip starts from, and those of the plan, to zero: an erase of everything that is
 * cut must not leave a chip that starts.
 */
static void clear_boot_words(const plan *p) {
  static uint32_t zeros[2][2];
  (void)flash_program(CHIP_FLASH, zeros[0], sizeof zeros[0], 0);
  if (p->boot != CHIP_FLASH && p->boot != NO_ADDRESS)
    (void)flash_program(p->boot, zeros[1], sizeof zeros[1], 0);
}

/*
 * Erases everything at once where that is faster than one sector after the other, and deals with
 * all sectors then, else with the blank ones.
 */
static void run_erase_all(const sealed_command *command) {
  const plan *p = job_plan();
  if (p->sectors != all_sectors()) session_abort(ERROR_OUTSIDE_PLAN, ERASE_ALL);
  if (work.erased != 0) session_abort(ERROR_ORDER, SEALED_ERASE);
  flash_unlock();
  uint32_t used = sectors_to_erase(p, p->sectors, command->bytes[2] != 0);
  bool at_once = flash_all_is_faster(&current_job.chip, used);
  work.dealt_with = at_once ? p->sectors : p->sectors & ~used;
  work.how = at_once ? ERASED_ALL_AT_ONCE : ERASED_BLANK;
  work.erased = work.dealt_with;
  if (at_once) {
    clear_boot_words(p);
    start_erase(command, ERASE_ALL, CHIP_FLASH);
  } else {
    reply_erased(ERASE_ALL, command->sequence, ERASED_BLANK);
  }
}

/*
 * Queues the erase of a sector of the plan: each once, of a job to flash the boot words' first, so
 * that the chip does not start. One that is blank, or was dealt with by ERASE of all, is left.
 */
static void run_erase(sealed_command *command) {
  const plan *p = job_plan();
  uint32_t sector = command->bytes[1], bit = 1u << (sector & 31u);
  uint32_t boot = p->boot == NO_ADDRESS
                      ? 0
                      : 1u << chip_find_sector(&current_job.chip, p->boot, BOOT_BYTES);
  if (command->bytes[2] > 1) session_abort(ERROR_MALFORMED_COMMAND, SEALED_ERASE);
  if (sector == ERASE_ALL) {
    run_erase_all(command);
    return;
  }
  if (sector >= CHIP_SECTORS || (p->sectors & bit) == 0) session_abort(ERROR_OUTSIDE_PLAN, sector);
  if ((work.dealt_with & bit) != 0) {
    work.dealt_with &= ~bit;
    reply_erased(sector, command->sequence, work.how);
    return;
  }
  if ((work.erased & bit) != 0 || (boot & ~work.erased & ~bit) != 0)
    session_abort(ERROR_ORDER, SEALED_ERASE);
  flash_unlock();
  if (work.erased == 0) program_begin_install();
  work.erased |= bit;
  if (sectors_to_erase(p, bit, command->bytes[2] != 0) == 0)
    reply_erased(sector, command->sequence, ERASED_BLANK);
  else
    start_erase(command, sector, chip_sector_at(&current_job.chip, sector).address);
}

static void answer(reply_kind reply, uint32_t argument, const sealed_command *command,
                   const void *body, uint32_t bytes) {
  sealed_reply(reply, (uint8_t)argument, command->sequence, body, bytes);
}

/* Says whether consecutive ranges have the root that is asked about; never which one they have. */
static void run_digest(sealed_command *command) {
  const plan *p = job_plan();
  uint32_t first = command->bytes[1], count = command->bytes[2];
  uint8_t root[64];
  if (!is_zero(command->bytes + 3, command->bytes + DIGEST_EXPECTED))
    session_abort(ERROR_MALFORMED_COMMAND, SEALED_DIGEST);
  if (count == 0 || first + count > p->count) session_abort(ERROR_OUTSIDE_PLAN, first);
  questions_count(p, work.erased, first, count);
  digest_root(p, first, count, root);
  flag equal = (flag)bf_equal(root, command->bytes + DIGEST_EXPECTED, sizeof root);
  bf_wipe(root, sizeof root);
  uint32_t left = questions_left();
  answer(REPLY_DIGEST, equal, command, &left, sizeof left);
}

/*
 * Boot words 4..15, 2, 3, then 0, last of all 1: a cut anywhere before leaves a chip that does not
 * start.
 */
static void program_boot_words(void) {
  static const uint8_t ORDER[][2] = {{4, 12}, {2, 1}, {3, 1}, {0, 1}, {1, 1}};
  changed_flash = true;
  for (uint32_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
    uint32_t word = ORDER[i][0];
    (void)flash_program(job_plan()->boot + 4 * word, boot_words + word, 4u * ORDER[i][1], 0);
  }
  flash_wait();
  bf_wipe(boot_words, sizeof boot_words);
}

/* Milliseconds this session has erased, programmed and read back, 4 bytes each. */
static void store_spent(uint8_t *to) {
  for (uint32_t i = 0; i < SPENT_SIZE / 4; i++)
    bf_store_le32(to + 4 * i, tick_spent[ACTIVITY_ERASING + i] * TICK_MS);
}

/*
 * Checks the digests before the boot words, blankness, programs the boot words if there are any,
 * and answers with the hash over both.
 */
static void run_final(sealed_command *command) {
  const plan *p = job_plan();
  bool boots = p->boot != NO_ADDRESS;
  uint8_t body[WRITTEN_SPENT + SPENT_SIZE];
  bf_sha512 s;
  if (!is_zero(command->bytes + 1, command->bytes + FINAL_ROOT) ||
      (!boots && !is_zero(command->bytes + FINAL_BOOT, command->bytes + FINAL_USED)))
    session_abort(ERROR_MALFORMED_COMMAND, SEALED_FINAL);
  if (work.erased == 0) session_abort(ERROR_ORDER, SEALED_FINAL);
  questions_count(p, work.erased, 0, p->count);
  program_final_root(p, command->bytes + FINAL_BOOT, body);
  if (!bf_equal(body, command->bytes + FINAL_ROOT, 64))
    session_abort(ERROR_DIGEST_DIFFERS, NO_ADDRESS);
  digest_check_blank(&current_job, work.erased);
  program_check_final(p, work.erased);
  if (boots) {
    bf_copy((uint8_t *)boot_words, command->bytes + FINAL_BOOT, BOOT_BYTES);
    program_boot_words();
  }
  program_end_install(p, command->bytes + FINAL_BOOT);
  flash_stop();
  if (boots) {
    domain_begin(&s, DOMAIN_WRITTEN, sizeof DOMAIN_WRITTEN - 1);
    bf_sha512_update(&s, body, 64);
    bf_sha512_update(&s, (const uint8_t *)p->boot, BOOT_BYTES);
    bf_sha512_final(&s, body);
  }
  bf_store_le32(body + WRITTEN_WORDS, flash_words());
  bf_store_le32(body + WRITTEN_OPTCR, chip_optcr());
  store_spent(body + WRITTEN_SPENT);
  answer(REPLY_WRITTEN, work.psize, command, body, sizeof body);
  session_enter(STATE_WRITTEN);
}

static void run_lock(sealed_command *command) {
  bool plants = job_plan()->lock == LOCK_LEVEL_1_SECTOR_0;
  if (!PROGRAM_LOCKS || !job_plan()->lock) session_abort(ERROR_ORDER, SEALED_LOCK);
  if (plants && supply_psize() != WIDTH_X32) session_abort(ERROR_SUPPLY_LOW, 0);
  flash_protect(plants);
  uint32_t body[2] = {chip_optcr(), chip_optcr1()};
  answer(REPLY_LOCKED, (uint32_t)chip_is_level1(body[0]), command, body, sizeof body);
  session_enter(STATE_LOCKED);
}

static void run_end(sealed_command *command) {
  const plan *p = job_plan();
  bool undone = p->kind == KIND_FLASH || work.erased != p->sectors;
  if (undone && session_current() == STATE_ACTIVE) session_abort(ERROR_ORDER, SEALED_END);
  if (p->kind == KIND_ERASE) digest_check_blank(&current_job, work.erased);
  program_end_session();
  uint8_t body[4 + SPENT_SIZE];
  bf_store_le32(body, flash_words());
  store_spent(body + 4);
  answer(REPLY_ENDED, 0, command, body, sizeof body);
  command->last = true;
}

static void run_ping(sealed_command *command) {
  uint32_t words = flash_words();
  answer(REPLY_PONG, 0, command, &words, sizeof words);
}

static void run_abort(sealed_command *command) {
  (void)command;
  session_abort(ERROR_CONTROLLER_STOPPED, 0);
}
