/*
 * QEMU plugin: for each call into [0x20000000, 0x20010000) one line "instructions hash", the hash being over the address of
 * every executed instruction and of every load and store, in order.
 *
 * Debian ships QEMU with plugins on but without their header, so the few declarations used are written out here, as
 * QEMU 7.2's documentation of the plugin interface (version 1) has them.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef void (*on_tb_trans)(plugin_id, struct qemu_plugin_tb *);
typedef void (*on_exec)(unsigned vcpu, void *data);
typedef void (*on_memory)(unsigned vcpu, uint32_t info, uint64_t address, void *data);
typedef void (*on_exit)(plugin_id, void *data);
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_tb_trans);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, on_exec, int flags, void *data);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_memory, int flags, int rw, void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id, on_exit, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern _Bool qemu_plugin_mem_is_store(uint32_t info);

VISIBLE int qemu_plugin_version = 1;

#define FIRST 0x20000000u
#define END 0x20010000u
#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static FILE *out;
static uint64_t instructions, hash = FNV_START;

static void mix(uint64_t value) {
  hash = (hash ^ value) * FNV_PRIME;
  hash ^= hash >> 29;
}

static void close_call(void) {
  if (instructions > 0) fprintf(out, "%" PRIu64 " %016" PRIx64 "\n", instructions, hash);
  instructions = 0;
  hash = FNV_START;
}

static void executed(unsigned vcpu, void *data) {
  (void)vcpu;
  instructions++;
  mix((uintptr_t)data);
}

static void accessed(unsigned vcpu, uint32_t info, uint64_t address, void *data) {
  (void)vcpu, (void)data;
  mix(address << 1 | qemu_plugin_mem_is_store(info) | (uint64_t)1 << 40);
}

static void outside(unsigned vcpu, void *data) {
  (void)vcpu, (void)data;
  close_call();
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t at = qemu_plugin_insn_vaddr(insn);
    if (at >= FIRST && at < END) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, NO_REGISTERS, (void *)(uintptr_t)at);
      qemu_plugin_register_vcpu_mem_cb(insn, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    } else if (i == 0) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, outside, NO_REGISTERS, NULL);
    }
  }
}

static void finished(plugin_id id, void *data) {
  (void)id, (void)data;
  close_call();
  fclose(out);
}

/* Argument: out=FILE. */
VISIBLE int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) return 1;
  out = fopen(argv[0] + 4, "w");
  if (out == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
