/* The two images as raw bytes; combined.ld puts each where it belongs. */
    .section .bootloader, "a"
    .incbin "bootloader.bin"
    .section .application, "a"
    .incbin "application.bin"
