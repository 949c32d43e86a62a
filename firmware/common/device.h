/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef BF_DEVICE_H
#define BF_DEVICE_H

/* Handshakes of a loader (docs/protocol.md §4) */
#define DEVICE_SUITE                 "blindflash/2 K1K1 X25519 XSalsa20Poly1305 SHA512"
#define DEVICE_PURPOSE               "device"
#define DEVICE_EPOCH_BOXES           1u
#define ENROLL_SUITE                 "blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512"
#define ENROLL_PURPOSE               "enroll"
#define ENROLL_EPOCH_BOXES           1u

/* Enrolment (docs/protocol.md §4, §8): label and extraction; sizes and offsets in bytes */
#define LABEL_ENROLL                 "enroll"
#define EXTRACT_ENROLL               "blindflash/2 enroll"
#define ENROLL_M1_SIZE               168u
#define ENROLL_M1_PAYLOAD_SIZE       104u
#define FILE_KEY_OFFSET              72u /* of D_f in its payload */

/* Units of the core that are on where somebody looks in; bits */
#define WATCHER_BREAKPOINTS          1u
#define WATCHER_TRACE                2u

#endif
