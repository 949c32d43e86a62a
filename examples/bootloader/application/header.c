/* The application's header before sealing; layout in image.h. */
#include "image.h"
#include "stm32f427.h"

__attribute__((section(".header"), used)) static const struct image_header header = {
    .magic = IMAGE_MAGIC,
    .format = IMAGE_FORMAT,
    .header_size = IMAGE_HEADER_SIZE,
    .body_address = APPLICATION_START + IMAGE_HEADER_SIZE,
    .version = 1 << 16 | 0 << 8 | 0,
    .name = "example-application",
};
