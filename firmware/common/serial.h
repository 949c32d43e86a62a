/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef BF_SERIAL_H
#define BF_SERIAL_H

/* First byte of a packet; bit 7 is set in what the loader sends */
typedef enum {
  PACKET_ASK_IDENT = 1, /* IDENT?: who is there */
  PACKET_JOB = 2, /* JOB: the job as in the mailbox */
  PACKET_M2 = 3, /* M2 */
  PACKET_COMMAND = 4, /* COMMAND: sequence 4, box */
  PACKET_FETCHED = 5, /* FETCHED: sequence of the last REPLY taken */
  PACKET_AGAIN = 6, /* AGAIN: send it once more */
  PACKET_ABORT = 7, /* ABORT: wipe and stop */
  PACKET_BAUD = 8, /* BAUD: change the bit rate */
  PACKET_FILE = 9, /* FILE: header of an update file */
  PACKET_ENTRIES = 10, /* ENTRIES: sequence 4, entries of 160 */
  PACKET_FRAME = 11, /* FRAME: sequence 4, frame */
  PACKET_IDENT = 129, /* IDENT */
  PACKET_M1 = 130, /* M1, loader hash 64 */
  PACKET_M3 = 131, /* M3 */
  PACKET_STATUS = 132, /* STATUS */
  PACKET_REPLY = 133, /* REPLY: sequence 4, box */
} packet_type;

/* Bytes around a body, and of a packet before and after COBS (without its zero), at most */
#define PACKET_BYTES_TYPE            1u
#define PACKET_BYTES_CRC             4u
#define PACKET_MOST                  4200u
#define PACKET_CODED_MOST            4217u

/* Bytes of a body; COMMAND, FRAME and M1 have one of two sizes, JOB and FILE a multiple of four */
#define PACKET_ASK_IDENT_SIZE        0u
#define PACKET_JOB_LEAST             136u
#define PACKET_JOB_MOST              1608u
#define PACKET_M2_SIZE               128u
#define PACKET_COMMAND_LEAST         196u
#define PACKET_COMMAND_MOST          4068u
#define PACKET_FETCHED_SIZE          4u
#define PACKET_AGAIN_SIZE            5u
#define PACKET_ABORT_SIZE            0u
#define PACKET_BAUD_SIZE             4u
#define PACKET_FILE_LEAST            128u
#define PACKET_FILE_MOST             1600u
#define PACKET_ENTRIES_LEAST         164u
#define PACKET_ENTRIES_MOST          4164u
#define PACKET_FRAME_LEAST           228u
#define PACKET_FRAME_MOST            4100u
#define PACKET_IDENT_SIZE            112u
#define PACKET_M1_LEAST              200u
#define PACKET_M1_MOST               232u
#define PACKET_M3_SIZE               32u
#define PACKET_STATUS_SIZE           36u
#define PACKET_REPLY_SIZE            196u

/* Bytes of the sequence before what COMMAND, ENTRIES, FRAME and REPLY carry */
#define SEQUENCE_SIZE                4u

/* IDENT */
#define IDENT_FORMAT                 1u
#define IDENT_AT_FORMAT              0u /* 1 */
#define IDENT_AT_STATE               1u /* of the session, as in the mailbox */
#define IDENT_AT_FLAGS               2u /* IDENT_FLAG_* */
#define IDENT_AT_VERSION             4u /* of the loader: major * 256 + minor */
#define IDENT_AT_RECEIVE_SLOTS       6u /* COMMANDs it has room for */
#define IDENT_AT_FREE_KEY_SLOTS      7u /* key pairs it can still make */
#define IDENT_AT_PRODUCT             8u /* product of its config */
#define IDENT_AT_IMAGE_VERSION       12u /* of the image that is complete, or 0 */
#define IDENT_AT_FLOOR               16u /* least version it takes */
#define IDENT_AT_LOADER_HASH         20u /* SHA-512 of the loader */
#define IDENT_AT_UID                 84u /* unique device id */
#define IDENT_AT_OPTCR               96u /* FLASH_OPTCR */
#define IDENT_AT_OPTCR1              100u /* FLASH_OPTCR1, or 0 */
#define IDENT_AT_DEV_ID              104u /* DEV_ID of DBGMCU_IDCODE */
#define IDENT_AT_FLASH_KI_B          106u /* flash size register */
#define IDENT_AT_MOST_BAUD           108u /* highest bit rate it takes, bit/s */
#define IDENT_SIZE                   112u

/* IDENT: flags */
#define IDENT_FLAG_LOCKED            0x01u
#define IDENT_FLAG_IMAGE             0x02u
#define IDENT_FLAG_KEYS              0x04u
#define IDENT_FLAG_FALLBACK          0x08u

/* STATUS */
/* bits 5:0 as in the mailbox; STATUS_SHAKING, STATUS_LOST */
#define LINK_STATUS_AT_STATE         0u
#define LINK_STATUS_AT_ACTIVITY      1u /* what the chip is doing, as in the mailbox */
#define LINK_STATUS_AT_ARGUMENT      2u /* sector or range of the activity */
#define LINK_STATUS_AT_ERROR         3u /* why it refused, aborted or stopped */
#define LINK_STATUS_AT_ACCEPTED      4u /* highest COMMAND opened, its work done or queued */
#define LINK_STATUS_AT_CREDIT        8u /* highest COMMAND there is room for */
#define LINK_STATUS_AT_REPLIED       12u /* last REPLY given */
#define LINK_STATUS_AT_WORDS         16u /* words programmed */
#define LINK_STATUS_AT_DETAIL        20u /* what goes with the error */
#define LINK_STATUS_AT_HANDSHAKES    24u /* handshakes begun since the loader started */
#define LINK_STATUS_AT_RECEIVED      28u /* highest COMMAND in a slot with all before it */
#define LINK_STATUS_AT_DROPPED       32u /* packets dropped since the loader started */
#define LINK_STATUS_SIZE             36u

/* STATUS: bits of its first byte */
#define LINK_STATUS_STATE            0x3Fu
#define LINK_STATUS_SHAKING          0x40u
#define LINK_STATUS_LOST             0x80u

/* AGAIN */
#define AGAIN_AT_TYPE                0u /* of the packet wanted */
#define AGAIN_AT_SEQUENCE            1u /* of a REPLY, else 0 */
#define AGAIN_SIZE                   5u

/* BAUD */
#define BAUD_AT_RATE                 0u /* bit/s */
#define BAUD_SIZE                    4u

/* The knock: bytes by which the bit time is measured, then its name */
#define KNOCK_MEASURED               8u /* bytes of KNOCK_MEASURED_BYTE */
#define KNOCK_MEASURED_BYTE          85u
#define KNOCK_NAME                   "BFKNOCK2"
#define BAUD_FIRST                   115200u

/* Limits */
#define LINK_REPLIES_KEPT            16u
#define LINK_BAD_PACKETS             3u

/* Times, milliseconds */
#define LINK_MS_KNOCK_EVERY          100u
#define LINK_MS_ANSWER               250u
#define LINK_MS_HANDSHAKE            2000u
#define LINK_MS_STATUS_EVERY         20u
#define LINK_MS_STATUS_LEAST         250u
#define LINK_MS_BAUD_PROOF           300u
#define LINK_MS_BAUD_CHANGE          20u
#define LINK_MS_ALIVE_EVERY          2000u
#define LINK_MS_ALONE_AFTER          10000u

#endif
