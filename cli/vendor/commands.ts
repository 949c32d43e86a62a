// The commands of the vendor, whose image and keys they are.
import type { ImageFormat } from '../../controller/image/detect.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';
import { MODE_ORDER, PLAN_MODES } from '../../shared/plan/modes.ts';
import { command, commandGroup, type OptionTable, type PositionalTable } from '../command.ts';
import { RELAY_OPTIONS } from '../terminal/relay-options.ts';

const FORMATS = ['elf', 'hex', 'srec', 'dfuse', 'uf2', 'bin'] as const satisfies readonly ImageFormat[];
const SECONDS = 1000;

/** The vendor's folder, keys and passphrase. */
export const KEY_OPTIONS = {
  home: { type: 'string', describe: 'folder for keys, jobs and receipts (BLINDFLASH_HOME, ~/.blindflash)' },
  keys: { type: 'string', describe: 'key file; keys.json in the folder unless given' },
  'passphrase-file': {
    type: 'string',
    describe: 'file with the passphrase of the keys; - reads it from stdin',
  },
} as const satisfies OptionTable;

const ROOM_OPTIONS = {
  ...KEY_OPTIONS,
  relay: {
    type: 'string',
    describe: 'relay, wss://HOST (or BLINDFLASH_RELAY)',
    example: 'wss://relay.example.com',
  },
  ...RELAY_OPTIONS,
  'invite-out': { type: 'string', describe: 'write the invite to this file instead of showing it' },
  'valid-hours': {
    type: 'number',
    unit: 'hours',
    describe: 'how long the invite is valid; 24 unless given',
    example: '24',
  },
} as const satisfies OptionTable;

/** Of every command that runs a job. */
export const JOB_OPTIONS = {
  ...ROOM_OPTIONS,
  invite: { type: 'string', describe: 'file with an invite of `blindflash invite`; - reads it from stdin' },
  resume: {
    type: 'string',
    describe: 'go on with this job; its own plan holds, the image must be the same',
  },
  'new-invite': {
    type: 'boolean',
    describe: 'with --resume: go on under a new invite, with its own code; the one before is spent or lost',
  },
  code: {
    type: 'string',
    describe:
      'each: type the code the customer reads to you, again after the board lost its power; once: for the whole job, and until it ' +
      'is over the memory and disk of the customer’s computer are worth the image; --no-code: not at all, and relay and a ' +
      'replaced invite together get the image',
    example: 'once',
  },
  yes: { type: 'boolean', describe: 'do not ask whether to go ahead' },
} as const satisfies OptionTable;

/** What a plan says beside its kind. */
export const PLAN_OPTIONS = {
  chip: { type: 'string', default: 'stm32f427', describe: 'type of the chip', example: 'stm32f407' },
  'flash-kib': { type: 'number', unit: 'KiB', describe: 'flash size; found out unless given', example: '2048' },
  label: { type: 'string', describe: 'what the customer reads; at most 64 bytes', example: 'Board 7 on your desk' },
  'idle-limit': {
    type: 'number',
    unit: 'seconds',
    least: PLAN_LIMITS.idleMs.least / SECONDS,
    most: PLAN_LIMITS.idleMs.most / SECONDS,
    describe: 'seconds after which a forgotten chip wipes its keys; 600',
    example: '600',
  },
  halt: { type: 'boolean', describe: 'leave the chip halted instead of starting it' },
  mode: { choices: MODE_ORDER, describe: `trust mode; this version has ${PLAN_MODES.join(', ')}` },
  'minimum-mode': { choices: MODE_ORDER, describe: 'weakest mode the firmware’s policy allows' },
} as const satisfies OptionTable;

const IMAGE = {
  image: {
    required: true,
    list: true,
    describe:
      'ELF, Intel HEX, S-record, DfuSe, UF2 or plain binary; several files are one image, a plain binary among them with its address, ' +
      'as app.bin@0x08020000',
  },
} as const satisfies PositionalTable;

const IMAGE_OPTIONS = {
  base: { type: 'string', describe: 'address of a plain binary, such as 0x08000000', example: '0x08000000' },
  format: { choices: FORMATS, describe: 'when contents and name do not tell' },
  skip: {
    type: 'string',
    describe:
      'leave parts of the files out: option-bytes, otp, rom, ccm, ram, backup-ram, fmc, qspi, sdram, outside-flash (all of them), or ' +
      'addresses as 0x90000000-0x90ffffff or 0x1fffc000+16; several with commas',
    example: 'option-bytes,otp',
  },
} as const satisfies OptionTable;

const LIFT_OPTIONS = {
  'lift-write-protection': {
    type: 'boolean',
    describe: 'lift the write protection (nWRP) of the sectors that are erased; put back at the end',
  },
  'keep-lifted': { type: 'boolean', describe: 'with --lift-write-protection: do not put it back' },
} as const satisfies OptionTable;

const BOOT_OPTION = {
  type: 'string',
  describe: 'address of the boot words, written last; found by itself unless given; none: the image is data',
  example: '0x08000000',
} as const satisfies OptionTable[string];

const WRITING_OPTIONS = {
  ...LIFT_OPTIONS,
  'always-erase': {
    type: 'boolean',
    describe:
      'erase sectors that read blank as well; else they are left as they are, while nothing of the job was written yet',
  },
  lock: {
    choices: ['none', 'rdp1'],
    default: 'none',
    describe: 'rdp1: read protection once the image is verified',
  },
  boot: BOOT_OPTION,
  delta: {
    type: 'boolean',
    default: false,
    describe:
      'leave alone sectors that hold the right content already; relay and laptop then see which, and whoever can write the ' +
      'board beforehand can test guesses about a sector',
  },
} as const satisfies OptionTable;

const RELEASE_OPTIONS = {
  release: { type: 'number', describe: 'number of this version, from 0; a later one is greater', example: '5' },
  floor: {
    type: 'number',
    describe:
      'the least version the devices take afterwards; the release unless given, so that nothing older goes back; between floor ' +
      'and release an old file may; it never falls again',
    example: '3',
  },
} as const satisfies OptionTable;

export const FLASH = command({
  name: 'flash',
  who: 'vendor',
  summary: 'write an image to the chip on the customer’s desk',
  positionals: IMAGE,
  options: {
    ...JOB_OPTIONS,
    ...PLAN_OPTIONS,
    ...IMAGE_OPTIONS,
    ...WRITING_OPTIONS,
    device: {
      type: 'string',
      describe:
        'for a device with a loader, by first digits of its UID: over its serial line, only to the chip whose key is on record, in ' +
        'the mode that follows from where it was enrolled',
      example: '00290041',
    },
    release: { ...RELEASE_OPTIONS.release, describe: `with --device: ${RELEASE_OPTIONS.release.describe}` },
    floor: { ...RELEASE_OPTIONS.floor, describe: `with --device: ${RELEASE_OPTIONS.floor.describe}` },
  },
  examples: [
    [
      '$0 flash firmware.elf --device 00290041 --release 5',
      'linked from 0x08010000, by the loader, to that device alone',
    ],
    ['$0 flash firmware.elf --relay wss://relay.example.com', 'makes an invite, waits, writes, verifies'],
    ['$0 flash firmware.elf --resume JOB', 'goes on with an interrupted job'],
    ['$0 flash firmware.elf --resume JOB --new-invite', 'the same under a new invite'],
  ],
  load: async () => (await import('./flash.ts')).runFlash,
});

export const VERIFY = command({
  name: 'verify',
  who: 'vendor',
  summary: 'compare the chip with an image, without changing it',
  positionals: IMAGE,
  options: {
    ...JOB_OPTIONS,
    ...PLAN_OPTIONS,
    ...IMAGE_OPTIONS,
    where: { type: 'boolean', describe: 'when the content differs, ask at which addresses' },
    device: {
      type: 'string',
      describe:
        'of a device with a loader, by first digits of its UID: over its serial line; an image linked from 0x08010000',
      example: '00290041',
    },
  },
  load: async () => (await import('./verify.ts')).runVerify,
});

export const ERASE = command({
  name: 'erase',
  who: 'vendor',
  summary: 'erase sectors of the chip',
  options: {
    ...JOB_OPTIONS,
    ...PLAN_OPTIONS,
    sectors: { type: 'string', describe: 'which, such as 0-3,5', example: '0-3,5' },
    all: { type: 'boolean', describe: 'the whole chip' },
    ...LIFT_OPTIONS,
  },
  load: async () => (await import('./erase.ts')).runErase,
});

export const INFO = command({
  name: 'info',
  who: 'vendor',
  summary: 'say which probe and chip the customer has',
  options: { ...JOB_OPTIONS, ...PLAN_OPTIONS },
  load: async () => (await import('./info-reset.ts')).runInfo,
});

export const RESET = command({
  name: 'reset',
  who: 'vendor',
  summary: 'reset the chip and let it run',
  options: { ...JOB_OPTIONS, ...PLAN_OPTIONS },
  load: async () => (await import('./info-reset.ts')).runReset,
});

export const UNLOCK = command({
  name: 'unlock',
  who: 'vendor',
  summary: 'take read protection away from the chip, which erases all of it',
  options: { ...JOB_OPTIONS, ...PLAN_OPTIONS },
  examples: [
    ['$0 unlock --relay wss://relay.example.com', 'the customer types a word, and switches the board off and on'],
  ],
  load: async () => (await import('./option-bytes.ts')).runUnlock,
});

export const OPTIONS = command({
  name: 'options',
  who: 'vendor',
  summary: 'change option bytes of the chip; info shows them',
  options: {
    ...JOB_OPTIONS,
    ...PLAN_OPTIONS,
    'brown-out': {
      choices: ['off', '1', '2', '3'],
      describe: 'supply below which the chip is held in reset: off, or 1 (2.1 V), 2 (2.4 V), 3 (2.7 V)',
    },
    watchdog: { choices: ['hardware', 'software'], describe: 'who starts the independent watchdog' },
    'stop-mode': { choices: ['allowed', 'reset'], describe: 'reset: entering Stop mode resets the chip' },
    'standby-mode': { choices: ['allowed', 'reset'], describe: 'reset: entering Standby mode resets the chip' },
    protect: { type: 'string', describe: 'sectors to write-protect, such as 0-1', example: '0-1' },
    unprotect: { type: 'string', describe: 'sectors whose write protection ends, such as 0-1', example: '0-1' },
  },
  examples: [['$0 options --brown-out 3 --protect 0-1', 'resets the chip below 2.7 V, and protects sectors 0 and 1']],
  load: async () => (await import('./option-bytes.ts')).runOptions,
});

export const PLAN = command({
  name: 'plan',
  who: 'vendor',
  summary: 'show what a flash job would do, without a network',
  positionals: IMAGE,
  options: {
    ...PLAN_OPTIONS,
    ...IMAGE_OPTIONS,
    ...WRITING_OPTIONS,
    job: { type: 'string', describe: 'job id the hash is for, 32 digits; a random one unless given' },
  },
  load: async () => (await import('./plan.ts')).runPlan,
});

export const PACKAGE = command({
  name: 'package',
  who: 'vendor',
  summary: 'seal an image for devices of the registry, as a file they install without you',
  positionals: IMAGE,
  options: {
    ...KEY_OPTIONS,
    to: {
      type: 'string',
      list: true,
      describe: 'for which devices: first digits of UIDs, or all that are active',
      example: '00290041',
    },
    out: { type: 'string', describe: 'the file to write; one that is there is not replaced', example: 'release-5.bfu' },
    ...RELEASE_OPTIONS,
    product: { type: 'number', describe: 'needed when the devices are of several products', example: '7' },
    chip: PLAN_OPTIONS.chip,
    'flash-kib': { ...PLAN_OPTIONS['flash-kib'], describe: 'flash size; the largest of the chip unless given' },
    label: PLAN_OPTIONS.label,
    ...IMAGE_OPTIONS,
  },
  examples: [['$0 package firmware.elf --to all --release 5 --out release-5.bfu', 'linked from 0x08010000']],
  load: async () => (await import('./package.ts')).runPackage,
});

export const INVITE = command({
  name: 'invite',
  who: 'vendor',
  summary: 'make an invite for a later job',
  options: ROOM_OPTIONS,
  examples: [['$0 invite --relay wss://relay.example.com --invite-out i.txt', 'then: flash … --invite i.txt']],
  load: async () => (await import('./invite.ts')).runInvite,
});

export const KEYGEN = command({
  name: 'keygen',
  who: 'vendor',
  summary: 'make the vendor’s keys, one pair for each purpose',
  options: {
    ...KEY_OPTIONS,
    passphrase: { type: 'boolean', default: true, describe: 'protect them (--no-passphrase does not)' },
    name: {
      type: 'string',
      default: 'vendor',
      describe: 'your name in the relay operator’s tenants file',
      example: 'acme',
    },
  },
  load: async () => (await import('./keygen.ts')).runKeygen,
});

const RECEIPT_VERIFY = command({
  name: 'verify',
  who: 'vendor',
  summary: 'check the signature of a receipt or of a customer’s copy, offline',
  positionals: { file: { required: true } },
  options: {
    key: { type: 'string', describe: 'receipt key it must be signed with, 64 digits; your own unless given' },
    'any-key': { type: 'boolean', describe: 'check the signature whoever made it, and say whose key it is' },
    home: { type: 'string', describe: 'folder with the vendor’s keys, to recognise his own' },
    image: {
      type: 'string',
      list: true,
      describe: 'say also whether it is for this image, given as for flash',
      example: 'firmware.elf',
    },
    ...IMAGE_OPTIONS,
    boot: BOOT_OPTION,
  },
  examples: [
    ['$0 receipt verify board-7.receipt --image loader.hex app.hex', 'checks the signature, and what was written'],
  ],
  load: async () => (await import('./receipt.ts')).verifyReceiptFile,
});

const RECEIPT_LIST = command({
  name: 'list',
  who: 'vendor',
  summary: 'list the receipts and jobs in the vendor’s folder',
  options: { home: { type: 'string', describe: 'the vendor’s folder' } },
  load: async () => (await import('./receipt.ts')).listReceipts,
});

export const RECEIPT = commandGroup({ name: 'receipt', who: 'vendor', summary: 'check and list receipts' }, [
  RECEIPT_VERIFY,
  RECEIPT_LIST,
]);
