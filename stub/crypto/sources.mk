# What a build of the primitives compiles, relative to stub/crypto. Included by stub/Makefile and stub/host/Makefile.
CRYPTO_SOURCES = util.c field.c field_m4.c x25519.c salsa20.c poly1305.c secretbox.c sha512.c hmac.c
# For size; inner loops are marked BF_FAST or BF_NO_SCHEDULE in the sources (util.h).
# The second flag keeps byte loops from becoming calls of memcpy and memset, which the stub does not have.
CRYPTO_CFLAGS = -Os -fno-tree-loop-distribute-patterns
