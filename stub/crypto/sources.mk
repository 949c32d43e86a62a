# What a build of the primitives compiles, relative to stub/crypto. Included by stub/Makefile and stub/host/Makefile.
CRYPTO_SOURCES = util.c x25519.c salsa20.c poly1305.c secretbox.c sha512.c hmac.c
# Every file is best at -O2; the schedule pass that hurts is switched off in the sources (BF_NO_SCHEDULE in util.h).
# The second flag keeps byte loops from becoming calls of memcpy and memset, which the stub does not have.
CRYPTO_CFLAGS = -O2 -fno-tree-loop-distribute-patterns
