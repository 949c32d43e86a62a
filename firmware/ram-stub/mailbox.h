/* Generated from shared/mailbox/layout.ts by scripts/gen-mailbox-header.ts; see docs/mailbox.md. Do not edit. */
#ifndef BF_MAILBOX_H
#define BF_MAILBOX_H

/* Memory and rings */
#if defined STUB_TARGET_stm32f42x
#define MEM_STUB                     0x20000000u /* vectors, header, code, constants */
#define MEM_STUB_SIZE                0x4000u
#define MEM_REPLIES                  0x20004000u /* reply ring */
#define MEM_REPLIES_SIZE             0x1000u
#define MEM_FRAMES                   0x20005000u /* frame ring */
#define MEM_FRAMES_SIZE              0x00028000u
#define MEM_CONTROL                  0x2002D000u /* control page */
#define MEM_CONTROL_SIZE             0x400u
#define MEM_JOB                      0x2002D400u /* job area */
#define MEM_JOB_SIZE                 0xC00u
#define MEM_SPARE                    0x2002E000u /* not used */
#define MEM_SPARE_SIZE               0x2000u
#define MEM_PRIVATE                  0x10000000u /* CCM: stack, keys, private copies; the agent never touches it */
#define MEM_PRIVATE_SIZE             0x00010000u
#define FRAME_SLOTS                  0x28u
#define FRAME_SLOT_SIZE              0x1000u
#define REPLY_SLOTS                  0x10u
#define REPLY_SLOT_SIZE              0x100u

#elif defined STUB_TARGET_stm32f4
#define MEM_STUB                     0x20000000u /* vectors, header, code, constants */
#define MEM_STUB_SIZE                0x4000u
#define MEM_REPLIES                  0x20004000u /* reply ring */
#define MEM_REPLIES_SIZE             0x1000u
#define MEM_CONTROL                  0x20005000u /* control page */
#define MEM_CONTROL_SIZE             0x400u
#define MEM_JOB                      0x20005400u /* job area */
#define MEM_JOB_SIZE                 0xC00u
#define MEM_FRAMES                   0x20006000u /* frame ring */
#define MEM_FRAMES_SIZE              0x3000u
#define MEM_PRIVATE                  0x20009000u /* stack, keys, private copies; the agent never touches it */
#define MEM_PRIVATE_SIZE             0x7000u
#define FRAME_SLOTS                  0x03u
#define FRAME_SLOT_SIZE              0x1000u
#define REPLY_SLOTS                  0x10u
#define REPLY_SLOT_SIZE              0x100u

#else
#error "which target?"
#endif

/* Stub header */
#define STUB_HEADER                  0x1C0u
#define STUB_MAGIC                   0x31534642u
#define STUB_HEADER_MAGIC            0x00u
#define STUB_HEADER_VERSION          0x04u
#define STUB_HEADER_LENGTH           0x08u
#define STUB_HEADER_CONTROL          0x0Cu

/* Control page, offsets */
#define MB_MAGIC_VALUE               0x31584D42u
#define MB_MAGIC                     0x00u /* written last when the stub is up */
#define MB_STATUS                    0x04u /* the one word that is polled, see STATUS_BITS */
#define MB_ERROR                     0x08u /* why it refused, aborted or stopped, see ERRORS */
#define MB_DETAIL                    0x0Cu /* address, sector, flag word or PC that goes with ERROR */
#define MB_WORDS                     0x10u /* words programmed so far, progress only */
#define MB_VERSION                   0x14u /* major * 256 + minor */
#define MB_HANDSHAKES                0x18u /* handshakes begun */
#define MB_ACTIVITY                  0x1Cu /* what goes on, see ACTIVITIES; sector or range in bits 31:8 */
#define MB_FAULT                     0x20u /* 8 words after a CPU fault, see FAULT_WORDS */
#define MB_COMMAND                   0x80u /* see COMMANDS; the stub sets it to 0 when it has obeyed */
#define MB_JOB_LENGTH                0x84u /* bytes in the job area */
#define MB_REPLY_ACK                 0x88u /* highest reply fetched; the stub clears it for a new handshake */
#define MB_SAVE                      0x90u /* 12 words for the agent alone, see SAVE_WORDS */
#define MB_M1                        0xC0u /* first handshake message */
#define MB_M2                        0x130u /* second handshake message */
#define MB_M3                        0x1B0u /* third handshake message */
#define MB_STUB_HASH                 0x1D0u /* SHA-512 of the stub as it computed it */

/* Fields of STATUS, shifts */
#define STATUS_ACCEPTED              0x00u
#define STATUS_REPLY                 0x10u
#define STATUS_STATE                 0x18u
#define STATUS_AGAIN                 0x1Fu

/* States */
#define STATE_BOOT                   0x00u
#define STATE_WAITING                0x01u
#define STATE_OFFERED                0x02u
#define STATE_ACTIVE                 0x03u
#define STATE_WRITTEN                0x04u
#define STATE_LOCKED                 0x05u
#define STATE_ENDED                  0x06u
#define STATE_ABORTED                0x07u
#define STATE_EXPIRED                0x08u
#define STATE_FAULT                  0x09u
#define STATE_REFUSED                0x0Au

/* Commands */
#define COMMAND_NONE                 0x00u
#define COMMAND_JOB                  0x01u
#define COMMAND_M2                   0x02u
#define COMMAND_ABORT                0x03u
#define COMMAND_HANDSHAKE            0x04u

/* Activities */
#define ACTIVITY_IDLE                0x00u
#define ACTIVITY_ERASING             0x01u
#define ACTIVITY_PROGRAMMING         0x02u
#define ACTIVITY_DIGESTING           0x03u
#define ACTIVITY_OPTIONS             0x04u

/* Errors */
#define ERROR_PLAN_MALFORMED         0x01u /* offset */
#define ERROR_WRONG_CHIP             0x02u /* what was read */
#define ERROR_RANDOM_FAILED          0x03u /* RNG_SR, or the failed test */
#define ERROR_CLOCK_FAILED           0x04u /* RCC_CR */
#define ERROR_PROTECTED_CHIP         0x05u /* OPTCR */
#define ERROR_CONFIRM_WRONG          0x06u
#define ERROR_BOX_FAILED             0x07u /* sequence */
#define ERROR_OUTSIDE_PLAN           0x08u /* address, sector or index */
#define ERROR_ORDER                  0x09u /* kind */
#define ERROR_FLASH_ERROR            0x0Au /* FLASH_SR */
#define ERROR_FLASH_TIMEOUT          0x0Bu /* FLASH_SR */
#define ERROR_DIGEST_DIFFERS         0x0Cu /* range, FFFFFFFF for the root */
#define ERROR_NOT_BLANK              0x0Du /* address */
#define ERROR_OPTIONS_FAILED         0x0Eu /* OPTCR */
#define ERROR_IDLE                   0x0Fu
#define ERROR_AGENT_STOPPED          0x10u
#define ERROR_CONTROLLER_STOPPED     0x11u
#define ERROR_CPU_FAULT              0x12u /* PC */
#define ERROR_TOO_MANY_HANDSHAKES    0x13u
#define ERROR_ZERO_SECRET            0x14u
#define ERROR_MALFORMED_FRAME        0x15u /* kind */
#define ERROR_NO_RANDOM              0x16u /* DEV_ID */

/* Failed tests of the random generator */
#define RANDOM_TEST_TIMEOUT          0x100u
#define RANDOM_TEST_REPETITION       0x101u
#define RANDOM_TEST_PROPORTION       0x102u

/* Slots */
#define TRAILER_SIZE                 0x10u
#define TRAILER_LENGTH               0x00u
#define TRAILER_CRC                  0x04u
#define TRAILER_ZERO                 0x08u
#define TRAILER_SEQUENCE             0x0Cu
#define BOX_IMAGE                    0xFE0u
#define BOX_COMMAND                  0xC0u
#define BOX_REPLY                    0xC0u

/* Job area */
#define JOB_MAGIC                    0x314A4642u
#define JOB_LENGTH                   0x04u
#define JOB_SEALED_KEY               0x08u
#define JOB_HOST_ENTROPY             0x28u
#define JOB_PLAN                     0x48u

/* Handshakes */
#define HANDSHAKES_IN_ALL            0x10u
#define HANDSHAKES_AFTER_FAILED_BOX  0x03u

#endif
