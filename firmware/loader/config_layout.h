/*
 * Generated from the tables of shared/ by scripts/gen-firmware-headers.ts. Do not edit.
 */
#ifndef BF_CONFIG_LAYOUT_H
#define BF_CONFIG_LAYOUT_H

/* Where things lie in flash */
#define LOADER_START                 0x08000000u
#define LOADER_HEADER                0x080001C0u
#define LOADER_CONFIG                0x08007600u
#define LOADER_SLOTS                 0x08007800u
#define LOADER_IMAGE                 0x08010000u

/* The config block */
#define CONFIG_MAGIC                 0x434C4642u
#define CONFIG_VERSION               0x01u
#define CONFIG_NONE                  0xFFu /* no pin, no register */
#define CONFIG_KEYS                  0x04u
#define CONFIG_SIZE                  0x200u

/* Its fields, offsets */
#define CONFIG_AT_MAGIC              0u
#define CONFIG_AT_VERSION            4u
#define CONFIG_AT_PRODUCT            8u
#define CONFIG_AT_FLAGS              12u
#define CONFIG_AT_UART               16u
#define CONFIG_AT_TX_PIN             17u
#define CONFIG_AT_RX_PIN             18u
#define CONFIG_AT_BAUD_MOST          20u
#define CONFIG_AT_LISTEN_MS          24u
#define CONFIG_AT_STRAP_PIN          26u
#define CONFIG_AT_STRAP_LEVEL        27u
#define CONFIG_AT_RTC_REGISTER       28u
#define CONFIG_AT_RTC_VALUE          32u
#define CONFIG_AT_KEYS               64u
#define CONFIG_AT_CRC                508u

/* Its flags */
#define CONFIG_FLAG_DEBUG_PINS_OFF   0x01u
#define CONFIG_FLAG_DIGEST           0x02u

/* What a vendor key may do; bits */
#define CONFIG_ROLE_SESSIONS         0x01u
#define CONFIG_ROLE_FILES            0x02u
#define CONFIG_ROLE_KEYS             0x04u
#define CONFIG_ROLE_SPARE            0x08u

#endif
