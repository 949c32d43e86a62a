/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
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
/* CCM: stack, keys, private copies; the agent never touches it */
#define MEM_PRIVATE                  0x10000000u
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
/* stack, keys, private copies; the agent never touches it */
#define MEM_PRIVATE                  0x20009000u
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
#define STUB_MAGIC                   0x32534642u
#define STUB_HEADER_MAGIC            0x00u
#define STUB_HEADER_VERSION          0x04u
#define STUB_HEADER_LENGTH           0x08u
#define STUB_HEADER_CONTROL          0x0Cu

/* Control page, offsets */
#define MAILBOX_MAGIC_VALUE          0x32584D42u
#define MAILBOX_MAGIC                0x00u /* written last when the stub is up */
/* the one word that is polled: state, NAK and two sequences */
#define MAILBOX_STATUS               0x04u
#define MAILBOX_ERROR                0x08u /* why it refused, aborted or stopped */
/* address, sector, flag word or PC that goes with ERROR */
#define MAILBOX_DETAIL               0x0Cu
#define MAILBOX_WORDS                0x10u /* words programmed so far, progress only */
#define MAILBOX_VERSION              0x14u /* major * 256 + minor */
#define MAILBOX_HANDSHAKES           0x18u /* handshakes begun */
/* what the chip is doing; its sector or range in bits 31:8 */
#define MAILBOX_ACTIVITY             0x1Cu
#define MAILBOX_FAULT                0x20u /* 8 words after a CPU fault, the first is the PC */
/* what the agent asks; the stub sets it to 0 when it has handled it */
#define MAILBOX_COMMAND              0x80u
#define MAILBOX_JOB_LENGTH           0x84u /* length of the job in bytes */
/* highest reply fetched; the stub clears it for a new handshake */
#define MAILBOX_REPLY_ACK            0x88u
#define MAILBOX_M1                   0xC0u /* first handshake message */
#define MAILBOX_M2                   0x150u /* second handshake message */
#define MAILBOX_M3                   0x1D0u /* third handshake message */
#define MAILBOX_STUB_HASH            0x1F0u /* SHA-512 of the stub as it computed it */

/* Fields of STATUS, shifts */
#define STATUS_ACCEPTED              0x00u
#define STATUS_REPLY                 0x10u
#define STATUS_STATE                 0x18u
#define STATUS_NAK                   0x1Fu

/* Slots: the trailer */
#define TRAILER_SIZE                 0x10u
#define TRAILER_LENGTH               0x00u
#define TRAILER_CRC                  0x04u
#define TRAILER_ZERO                 0x08u
#define TRAILER_SEQUENCE             0x0Cu

#endif
