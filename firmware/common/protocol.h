/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef BF_PROTOCOL_H
#define BF_PROTOCOL_H

/* What hashes begin with: DOMAIN_PREFIX, then the name (docs/protocol.md §7, §8) */
#define DOMAIN_PREFIX                "blindflash/2 "
#define DOMAIN_PLAN                  "plan"
#define DOMAIN_ROOT                  "root"
#define DOMAIN_WRITTEN               "written"

/* Handshake and boxes of the sealed session (docs/protocol.md §4, §5, §8); sizes in bytes */
#define SEALED_SUITE                 "blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512"
#define SEALED_PURPOSE               "sealed"
#define EXTRACT_SHARED               "blindflash/2 extract"
#define EXTRACT_CHIP_KEY             "blindflash/2 device"
#define LABEL_CONFIRM_R              "confirm r"
#define LABEL_CONFIRM_I              "confirm i"
#define LABEL_CHAIN_I2R              "chain i2r"
#define LABEL_CHAIN_R2I              "chain r2i"
#define LABEL_CHIP_KEY               "device"
#define LABEL_BOX_KEY                "box key"
#define LABEL_NEXT_CHAIN             "next chain"
#define SEALED_VERSION               2u
#define SEALED_BOX_PURPOSE           83u
#define SEALED_EPOCH_BOXES           64u
#define DIRECTION_I2R                1u
#define DIRECTION_R2I                2u
#define M1_SIZE                      136u
#define M1_PAYLOAD_SIZE              72u
#define CHIP_KEY_OFFSET              40u /* of D, or D_s, in the payload of M1 */
#define KEY_KIND_RAM                 1u
#define KEY_KIND_DEVICE              2u
#define M2_SIZE                      128u
#define M2_PAYLOAD_SIZE              32u
#define M3_SIZE                      32u
#define HANDSHAKES_IN_ALL            16u
#define HANDSHAKES_AFTER_FAILED_BOX  3u

/* Boxes and what is in them, bytes */
#define BOX_IMAGE                    4064u
#define BOX_COMMAND                  192u
#define BOX_REPLY                    192u
#define IMAGE_PLAIN_SIZE             4048u
#define IMAGE_DATA_MOST              4032u
#define COMMAND_PLAIN_SIZE           176u
#define REPLY_PLAIN_SIZE             176u

/* Questions about what the session did not erase (docs/protocol.md §8) */
#define QUESTION_IN_LIFE             256u
#define QUESTION_LEAST_BYTES         1024u
#define QUESTION_SHORT_COST          64u

/* ERASE in place of a sector: all of them (docs/protocol.md §8) */
#define ERASE_ALL                    255u

/* How a sector came to be erased, as ERASED says it */
typedef enum {
  ERASED_ERASED = 0,
  ERASED_BLANK = 1,
  ERASED_ALL_AT_ONCE = 2,
} erased_how;

/* First byte of a sealed command */
typedef enum {
  SEALED_IMAGE = 1,
  SEALED_ERASE = 2,
  SEALED_DIGEST = 3,
  SEALED_FINAL = 4,
  SEALED_LOCK = 5,
  SEALED_END = 6,
  SEALED_PING = 7,
  SEALED_ABORT = 127,
} sealed_command_kind;

/* First byte of a sealed reply */
typedef enum {
  REPLY_ERASED = 130,
  REPLY_DIGEST = 131,
  REPLY_WRITTEN = 132,
  REPLY_LOCKED = 133,
  REPLY_ENDED = 134,
  REPLY_PONG = 135,
  REPLY_ABORT = 255,
} reply_kind;

/* The plan (docs/protocol.md §7); sizes in bytes, times in milliseconds */
#define PLAN_MAGIC                   0x32504642u
#define PLAN_HEAD_BYTES              64u
#define PLAN_MAX_BYTES               1536u
#define PLAN_MAX_RANGES              64u
#define PLAN_MAX_LABEL               64u
#define PLAN_IDLE_LEAST              1000u
#define PLAN_IDLE_MOST               3600000u
#define BOOT_BYTES                   64u
#define NO_ADDRESS                   0xFFFFFFFFu

/* What a job does */
typedef enum {
  KIND_FLASH = 1,
  KIND_VERIFY = 2,
  KIND_ERASE = 3,
  KIND_INFO = 4,
  KIND_RESET = 5,
  KIND_UNLOCK = 6,
  KIND_OPTIONS = 7,
  KIND_ENROLL = 8,
  KIND_KEYS = 9,
} plan_kind;

/* How many of something a plan may have */
typedef enum {
  COUNT_NONE = 0,
  COUNT_SOME = 1,
  COUNT_ANY = 2,
} plan_count;

/* Kinds done by this program: from the first to the last of these */
#define STUB_KIND_FIRST              1u
#define STUB_KIND_LAST               3u

/* What else a plan asks for; bits */
#define FLAG_ALWAYS_ERASE            1u
#define FLAG_LIFT_WRITE_PROTECTION   2u
#define FLAG_KEEP_LIFTED             4u

/*
 * Sectors to erase, ranges to program, ranges only to digest of a plan of each kind, and the flags
 * it may have.
 */
#define KIND_SHAPES \
  [KIND_FLASH] = {COUNT_SOME, COUNT_SOME, COUNT_ANY, \
    FLAG_ALWAYS_ERASE | FLAG_LIFT_WRITE_PROTECTION | FLAG_KEEP_LIFTED}, \
  [KIND_VERIFY] = {COUNT_NONE, COUNT_NONE, COUNT_SOME, 0}, \
  [KIND_ERASE] = {COUNT_SOME, COUNT_NONE, COUNT_NONE, \
    FLAG_LIFT_WRITE_PROTECTION | FLAG_KEEP_LIFTED}

/* Who may see what */
typedef enum {
  MODE_HOST_BLIND = 1,
  MODE_LOCK_THEN_LOAD = 2,
  MODE_SEEDED = 3,
} plan_mode;

/* What a range of the plan is for */
typedef enum {
  USE_PROGRAM = 1,
  USE_DIGEST = 2,
} range_use;

/* What the option bytes become at the end */
typedef enum {
  LOCK_NONE = 0,
  LOCK_LEVEL_1 = 1,
  LOCK_LEVEL_1_SECTOR_0 = 2,
} plan_lock;

/* Programming width (PSIZE) */
typedef enum {
  WIDTH_X8 = 0,
  WIDTH_X16 = 1,
  WIDTH_X32 = 2,
} flash_width;

/* State of the session */
typedef enum {
  STATE_BOOT = 0,
  STATE_WAITING = 1,
  STATE_OFFERED = 2,
  STATE_ACTIVE = 3,
  STATE_WRITTEN = 4,
  STATE_LOCKED = 5,
  STATE_ENDED = 6,
  STATE_ABORTED = 7,
  STATE_EXPIRED = 8,
  STATE_FAULT = 9,
  STATE_REFUSED = 10,
} session_state;

/* What the host asks */
typedef enum {
  HOST_COMMAND_NONE = 0,
  HOST_COMMAND_JOB = 1,
  HOST_COMMAND_M2 = 2,
  HOST_COMMAND_ABORT = 3,
  HOST_COMMAND_HANDSHAKE = 4,
} host_command;

/* What the chip is doing */
typedef enum {
  ACTIVITY_IDLE = 0,
  ACTIVITY_ERASING = 1,
  ACTIVITY_PROGRAMMING = 2,
  ACTIVITY_DIGESTING = 3,
  ACTIVITY_OPTIONS = 4,
} chip_activity;

/* Why a session ended, or the program refuses to work */
typedef enum {
  ERROR_NONE = 0,
  ERROR_PLAN_MALFORMED = 1, /* DETAIL: offset */
  ERROR_WRONG_CHIP = 2, /* DETAIL: what was read */
  ERROR_RANDOM_FAILED = 3, /* DETAIL: RNG_SR, or the failed test */
  ERROR_CLOCK_FAILED = 4, /* DETAIL: RCC_CR */
  ERROR_PROTECTED_CHIP = 5, /* DETAIL: OPTCR */
  ERROR_CONFIRM_WRONG = 6,
  ERROR_BOX_FAILED = 7, /* DETAIL: sequence */
  ERROR_OUTSIDE_PLAN = 8, /* DETAIL: address, sector or index */
  ERROR_ORDER = 9, /* DETAIL: command kind */
  ERROR_FLASH_ERROR = 10, /* DETAIL: FLASH_SR */
  ERROR_FLASH_TIMEOUT = 11, /* DETAIL: FLASH_SR */
  ERROR_DIGEST_DIFFERS = 12, /* DETAIL: range, FFFFFFFF for the root */
  ERROR_NOT_BLANK = 13, /* DETAIL: address */
  ERROR_OPTIONS_FAILED = 14, /* DETAIL: OPTCR */
  ERROR_IDLE = 15,
  ERROR_AGENT_STOPPED = 16,
  ERROR_CONTROLLER_STOPPED = 17,
  ERROR_CPU_FAULT = 18, /* DETAIL: PC */
  ERROR_TOO_MANY_HANDSHAKES = 19,
  ERROR_ZERO_SECRET = 20,
  ERROR_MALFORMED_COMMAND = 21, /* DETAIL: command kind */
  ERROR_NO_RANDOM = 22, /* DETAIL: DEV_ID */
  ERROR_VENDOR_KEY = 23, /* DETAIL: place in the config from 0, 4 for none */
  ERROR_NO_ENTRY = 24,
  ERROR_TOO_MANY_TRIES = 25,
  ERROR_SUPPLY_LOW = 26,
} session_error;

/* DETAIL of ERROR_RANDOM_FAILED when a test failed */
#define RANDOM_TEST_TIMEOUT          256u
#define RANDOM_TEST_REPETITION       257u
#define RANDOM_TEST_PROPORTION       258u

/* The job as the transport brings it: its magic word, offsets in bytes */
#define JOB_MAGIC                    0x324A4642u
#define JOB_AT_MAGIC                 0u
#define JOB_AT_LENGTH                4u
#define JOB_AT_SEALED_KEY            8u
#define JOB_AT_HOST_ENTROPY          40u
#define JOB_AT_PLAN                  72u

#endif
