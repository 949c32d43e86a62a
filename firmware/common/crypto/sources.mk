# What a build of the primitives compiles, relative to firmware/common/crypto. Included by firmware/Makefile and firmware/pc/Makefile.
CRYPTO_SOURCES = util.c field.c field_m4.c x25519.c salsa20.c poly1305.c poly1305_m4.c secretbox.c sha512.c sha512_m4.c sha512_sparse.c hmac.c
# For size: what is inside the inner loops is assembly (*_m4.c and salsa20.c), and the last two flags make the rest smaller.
# The second flag keeps byte loops from becoming calls of memcpy and memset, which the stub does not have.
CRYPTO_CFLAGS = -Os -fno-tree-loop-distribute-patterns -fno-move-loop-invariants -fno-schedule-insns2
