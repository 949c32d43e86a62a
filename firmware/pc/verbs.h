/*
 * The verbs of the line protocol, a function each: it reads its arguments and prints the answer.
 * What a verb takes and gives is said at its function; names in capitals are arguments.
 */
#ifndef BF_VERBS_H
#define BF_VERBS_H

#include "lines.h"

typedef void verb(const request *r);

/* verbs_x25519.c */
extern verb do_x25519, do_x25519_base, do_x25519_iterate, do_fe;

/* verbs_box.c */
extern verb do_seal, do_open, do_poly1305, do_hsalsa20, do_salsa20_core, do_stream;

/* verbs_hash.c */
extern verb do_sha512, do_sha512_repeat, do_hmac, do_hkdf_expand, do_equal, do_wipe;

#endif
