// Every error a person or a program can be given: one row here, and docs/errors.md is written from it
// (scripts/errors-doc.ts). A row says what happened, what to do about it, and what Blindflash itself does about it.

/** Who reads an error. */
export type Audience = 'customer' | 'vendor' | 'operator';

/** The part of Blindflash, or of the desk, that has to be looked at. */
interface Part {
  /** Heading in docs/errors.md. */
  readonly title: string;
  /** Exit status of a command that ends with an error of this part, 1..255; 0 is success. */
  readonly exitStatus: number;
  /** Who can do what a remedy of this part says, unless the row names somebody else. */
  readonly acts: Audience | 'anybody';
  /**
   * True when an agent that meets such an error gives up its run. After all others it reports PROBLEM and waits for
   * what the controller decides (docs/protocol.md §6).
   */
  readonly endsAgent: boolean;
  /** Whose word such a code may be when it comes from the other side, unless the row says otherwise. */
  readonly toldBy: Teller;
  /** True: the particulars are about this computer and its files, and the other side is not told them. */
  readonly ownFiles: boolean;
}

/** Who may tell the other side of an error in the catalogue's words; from anybody else it is told as his own word. */
export type Teller = 'agent' | 'vendor' | 'either' | 'neither';

export const PARTS = {
  usage: {
    title: 'The command line',
    exitStatus: 2,
    acts: 'anybody',
    endsAgent: false,
    toldBy: 'neither',
    ownFiles: true,
  },
  probe: { title: 'The ST-LINK', exitStatus: 10, acts: 'customer', endsAgent: true, toldBy: 'agent', ownFiles: false },
  target: {
    title: 'The chip and its wiring',
    exitStatus: 11,
    acts: 'customer',
    endsAgent: false,
    toldBy: 'either',
    ownFiles: false,
  },
  stub: {
    title: 'The program in the chip’s RAM',
    exitStatus: 12,
    acts: 'anybody',
    endsAgent: false,
    toldBy: 'either',
    ownFiles: false,
  },
  serial: {
    title: 'The serial line to a locked board',
    exitStatus: 13,
    acts: 'customer',
    endsAgent: false,
    toldBy: 'agent',
    ownFiles: false,
  },
  loader: {
    title: 'The loader in a locked chip',
    exitStatus: 14,
    acts: 'anybody',
    endsAgent: false,
    toldBy: 'either',
    ownFiles: false,
  },
  image: {
    title: 'The image file',
    exitStatus: 20,
    acts: 'vendor',
    endsAgent: false,
    toldBy: 'neither',
    ownFiles: true,
  },
  plan: { title: 'The plan', exitStatus: 21, acts: 'vendor', endsAgent: false, toldBy: 'either', ownFiles: false },
  update: {
    title: 'Update files',
    exitStatus: 26,
    acts: 'anybody',
    endsAgent: false,
    toldBy: 'neither',
    ownFiles: true,
  },
  keys: { title: 'Keys on disk', exitStatus: 22, acts: 'vendor', endsAgent: false, toldBy: 'neither', ownFiles: true },
  job: { title: 'The job', exitStatus: 23, acts: 'anybody', endsAgent: false, toldBy: 'vendor', ownFiles: false },
  ledger: {
    title: 'The vendor’s ledger',
    exitStatus: 24,
    acts: 'vendor',
    endsAgent: false,
    toldBy: 'neither',
    ownFiles: true,
  },
  devices: {
    title: 'The device registry',
    exitStatus: 25,
    acts: 'vendor',
    endsAgent: false,
    toldBy: 'neither',
    ownFiles: true,
  },
  invite: { title: 'The invite', exitStatus: 30, acts: 'anybody', endsAgent: false, toldBy: 'vendor', ownFiles: false },
  relay: { title: 'The relay', exitStatus: 31, acts: 'anybody', endsAgent: true, toldBy: 'agent', ownFiles: false },
  link: { title: 'The connection', exitStatus: 32, acts: 'anybody', endsAgent: true, toldBy: 'agent', ownFiles: false },
  tunnel: {
    title: 'The session between the two sides',
    exitStatus: 33,
    acts: 'anybody',
    endsAgent: true,
    toldBy: 'either',
    ownFiles: false,
  },
  version: { title: 'Versions', exitStatus: 34, acts: 'anybody', endsAgent: false, toldBy: 'either', ownFiles: false },
  internal: {
    title: 'Blindflash itself',
    exitStatus: 70,
    acts: 'anybody',
    endsAgent: true,
    toldBy: 'agent',
    ownFiles: true,
  },
  /** Stopped by a person. */
  interrupted: {
    title: 'Interruption',
    exitStatus: 130,
    acts: 'anybody',
    endsAgent: true,
    toldBy: 'either',
    ownFiles: false,
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

/**
 * The smallest thing whose repetition may heal an error; Blindflash repeats it by itself, a bounded number of times.
 * - never: nothing; somebody has to act first.
 * - access: one access to probe or chip. When that does not help and the trouble is the chip's,
 *   the board is the next try.
 * - session: a new sealed session with the stub that runs.
 * - board: a new sealed session, after a pause in which somebody may switch the board on again or hold the wires.
 * - link: another dial to the relay.
 */
export type Retry = 'never' | 'access' | 'session' | 'board' | 'link';

/** What a person is told. */
export interface Wording {
  /** What happened. */
  readonly sentence: string;
  /** What to do next. */
  readonly remedy: string;
}

export interface ErrorRow extends Wording {
  /** Where the customer is told something else. */
  readonly customer?: Partial<Wording>;
  /** Where the vendor is told something else. */
  readonly vendor?: Partial<Wording>;
  /** Who can do what the remedy says, when it is not whom the part names. */
  readonly acts?: Audience | 'anybody';
  readonly part: PartName;
  /** Whose word it may be, when it is not whose the part names. */
  readonly toldBy?: Teller;
  readonly retry: Retry;
  /** True: the job is over, and the agent is told to let go. False: the job can be gone on with (`--resume`). */
  readonly endsJob: boolean;
}

const REPORT = 'Please report this together with the code and the log; nothing you did caused it.';
const NEW_INVITE = 'Ask the vendor for a new invite and paste it again.';
const VENDOR_INVITE = 'Make a new invite and send it to the customer.';
const REPLUG = 'Unplug the probe, wait two seconds, plug it in again and repeat the command.';

export const ERRORS = {
  // ── DEVICES: the registry ───────────────────────────────────────────────────────────────────────────────────────
  'BF-DEVICES-ENTRY': {
    sentence: 'An entry of the device registry is not one that these keys signed, or entries are missing.',
    remedy:
      'Find out who can write the file it is from. Put back a backup of the ledger, or import the registry from a computer that has ' +
      'all of it. After a change of keys, export with the old ones and import with --key.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },
  'BF-DEVICES-FILE': {
    sentence: 'The file is no export of a device registry, or it was altered or cut short.',
    remedy: 'Fetch it again as it was written by `blindflash devices export`, as a file and not as text in a mail.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },
  'BF-DEVICES-FOREIGN': {
    sentence: 'The export is signed with the key of another vendor, which is named here.',
    remedy: 'If you mean to take over his devices, compare that key with him by voice and add it with --key.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },
  'BF-DEVICES-KEY': {
    sentence: 'That is not the beginning of one key that waits for a decision about this device.',
    remedy: 'See the keys that wait with `blindflash devices show UID`, and give at least 8 digits of one.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },
  'BF-DEVICES-KEY-TWICE': {
    sentence:
      'The registry has this key for another device, or with another second key: one of the two is not what it says.',
    remedy: 'Trust neither before you know which: a chip makes its keys itself, and no two have the same.',
    part: 'devices',
    retry: 'never',
    endsJob: true,
  },
  'BF-DEVICES-OTHER-KEY': {
    sentence:
      'The chip shows another key than the registry has for this device: it was planted anew, or it is another.',
    remedy: 'Nothing was sent to it. The vendor has to find out which before the device gets anything.',
    vendor: {
      remedy:
        'Nothing was sent to it. Ask what became of the board. If it was planted anew, enrol it, decide about the new key with ' +
        '`blindflash devices accept`, and begin a new job; otherwise this is not the device.',
    },
    part: 'devices',
    toldBy: 'vendor',
    retry: 'never',
    endsJob: true,
  },
  'BF-DEVICES-STATE': {
    sentence: 'The device is in that state already.',
    remedy: 'Nothing is to be done; `blindflash devices show UID` has its history.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },
  'BF-DEVICES-UNKNOWN': {
    sentence: 'The registry has no device with this UID.',
    remedy:
      'Check its 24 digits with `blindflash devices list`, or import the registry of the computer that enrolled it.',
    part: 'devices',
    retry: 'never',
    endsJob: false,
  },

  'BF-DEVICES-UNUSABLE': {
    sentence: 'No job can be made for this device as it stands in the registry.',
    remedy:
      '`blindflash devices show UID` says how it stands; `devices accept` decides about a key that waits, `devices activate` takes ' +
      'a device back into use.',
    part: 'devices',
    retry: 'never',
    endsJob: true,
  },

  // ── IMAGE: the file handed to the controller ────────────────────────────────────────────────────────────────────
  'BF-IMAGE-ADDRESS': {
    sentence: 'The base address given for the image is not a usable number.',
    remedy: 'Give the address in hexadecimal, for example --base 0x08000000, aligned to 4 bytes.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-BASE': {
    sentence: 'A plain binary file does not say where in flash it belongs.',
    remedy: 'Add --base with the start address, for example --base 0x08000000, or use the ELF or HEX file instead.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-BASE-UNWANTED': {
    sentence: 'A base address was given, but this file format carries its own addresses.',
    remedy: 'Leave --base out, or convert the file to a plain binary first.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-BEHIND-LOADER': {
    sentence: 'The image is not linked for its place behind the loader.',
    remedy:
      'Put the line named here into the linker script in place of its own, and let the start-up code set VTOR to the same address if ' +
      'it sets it at all; then link again.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-BOOT-WORDS': {
    sentence: 'The words of the image that would be written last are not a vector table this chip could start from.',
    remedy:
      'Check that the image was linked for this chip and address: its stack lies in RAM, its entry in the image. Otherwise name ' +
      'the table with --boot, or say --boot none for data.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-DATA': {
    sentence: 'Data may not share the first sector with what the chip starts from.',
    remedy: 'Move it behind the first sector, or leave --boot none out when the image is the program the chip starts.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-DFUSE': {
    sentence: 'The DfuSe file is damaged, or is a DFU file without addresses.',
    remedy: 'Fetch it again; of a plain DFU file use the binary it was made from, with --base.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-ELF-KIND': {
    sentence: 'The ELF file is not a 32-bit little-endian ARM program.',
    remedy:
      'Use the linked program for the target (usually *.elf or *.axf), not an object file or one for another CPU.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-ELF-TRUNCATED': {
    sentence: 'The ELF file ends before the parts it announces.',
    remedy: 'The file was cut short; build it again or copy it again completely.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-EMPTY': {
    sentence: 'The file holds nothing that could be written to flash.',
    remedy: 'Check that this is the right file and that the build did not stop half-way.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-FORMAT': {
    sentence: 'The file is neither ELF, Intel HEX, Motorola S-record, DfuSe, UF2 nor a known binary.',
    remedy: 'Name a *.elf, *.hex, *.srec, *.dfu, *.uf2 or *.bin file, or say which it is with --format.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-HEX-CHECKSUM': {
    sentence: 'A line of the Intel HEX file has a wrong checksum.',
    remedy: 'The file was damaged or edited by hand; build it again or fetch it again.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-HEX-END': {
    sentence: 'The Intel HEX file has no end record, so part of it may be missing.',
    remedy: 'The file was cut short; build it again or copy it again completely.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-HEX-RECORD': {
    sentence: 'A line of the Intel HEX file cannot be understood.',
    remedy: 'Check that the file really is Intel HEX and was not altered by a mail program or an editor.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-OUTSIDE-FLASH': {
    sentence: 'Part of the image lies outside the flash of the chip.',
    remedy:
      'Check the link address and the chip. RAM, option bytes, OTP and memory outside the chip are not written this way; --skip ' +
      'leaves them out.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-OVERLAP': {
    sentence: 'Two parts of the image claim the same flash address.',
    remedy: 'Check the linker script; several files may share an address only when they hold the same there.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-READ': {
    sentence: 'The image file cannot be read.',
    remedy: 'Check the path and that you may read the file.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-RECEIPT': {
    sentence: 'The receipt is not for this image.',
    remedy: 'Compare with the files that were flashed, all of them, with the same --base, --skip and --boot.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-SREC-CHECKSUM': {
    sentence: 'A line of the S-record file has a wrong checksum.',
    remedy: 'The file was damaged or edited by hand; build it again or fetch it again.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-SREC-RECORD': {
    sentence: 'A line of the S-record file cannot be understood.',
    remedy: 'Check that the file really is Motorola S-record and complete.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-TOO-LARGE': {
    sentence: 'The image is larger than the flash of the chip.',
    remedy: 'Use a chip with more flash, or check that debug data was not packed into the binary.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-UF2': {
    sentence: 'The UF2 file is damaged, incomplete, or for another family of chips.',
    remedy: 'Fetch or build it again for the STM32F4, or use the ELF or HEX file instead.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },
  'BF-IMAGE-UTF16': {
    sentence: 'The file is text in UTF-16, which no tool reads as Intel HEX or S-record.',
    remedy:
      'A shell or an editor saved it so. Save it again as ASCII, in PowerShell with `Get-Content OLD | Set-Content -Encoding ascii NEW`.',
    part: 'image',
    retry: 'never',
    endsJob: true,
  },

  // ── INTERNAL ────────────────────────────────────────────────────────────────────────────────────────────────────
  'BF-INTERNAL': {
    sentence: 'Blindflash met a situation it was not built for.',
    remedy: REPORT,
    part: 'internal',
    retry: 'never',
    endsJob: true,
  },
  'BF-INTERNAL-ARGUMENT': {
    sentence: 'One part of Blindflash gave another an impossible value.',
    remedy: REPORT,
    part: 'internal',
    retry: 'never',
    endsJob: true,
  },
  'BF-INTERNAL-BUILD': {
    sentence: 'This installation of Blindflash is incomplete or was altered.',
    remedy: 'Install it again from the original package.',
    part: 'internal',
    retry: 'never',
    endsJob: true,
  },

  // ── INVITE: what the customer pastes ────────────────────────────────────────────────────────────────────────────
  'BF-INVITE-CODES': {
    sentence: 'Too many codes were shown for this invite.',
    remedy:
      'Somebody between you and the vendor may be trying. Call the vendor; if he knows of nothing, ask for a new invite, otherwise start again.',
    vendor: {
      remedy:
        'Somebody between you and the customer may be trying. Call him; go on under a new invite if neither knows why.',
    },
    part: 'invite',
    toldBy: 'either',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-EXPIRED': {
    sentence: 'This invite has expired.',
    remedy: NEW_INVITE,
    vendor: { remedy: VENDOR_INVITE },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-MALFORMED': {
    sentence: 'This is not a complete invite.',
    remedy: 'Copy the whole invite from the message, from its first to its last character, and paste it again.',
    vendor: { remedy: 'Name the file that `blindflash invite` wrote, whole and unaltered, or make a new invite.' },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-OLD': {
    sentence: 'This invite was made by an older version of Blindflash.',
    remedy: 'Ask the vendor to update Blindflash and to send a new invite.',
    vendor: { remedy: 'Make a new invite with this version and send it to the customer.' },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-REVOKED': {
    sentence: 'The vendor has ended this invite.',
    remedy: NEW_INVITE,
    vendor: { remedy: VENDOR_INVITE },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-SECOND-HOLDER': {
    sentence: 'Somebody else holds the way back to this job: the invite is of no use any more.',
    remedy: NEW_INVITE,
    vendor: {
      remedy:
        'Somebody has a copy of the invite or of what the customer’s computer keeps, or the relay held one of its messages back. Ask him who had access to it, to its backups and to the invite. Go on with the job under a new invite: `blindflash flash --resume JOB --new-invite`.',
    },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-SECRET-DEAD': {
    sentence: 'The one-time secret of this invite has already been used up.',
    remedy: `If it was not you who used it, tell the vendor at once. ${NEW_INVITE}`,
    vendor: {
      remedy: `If the customer did not use it, somebody else read it on the way: send the next one another way. ${VENDOR_INVITE}`,
    },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-SPENT': {
    sentence: 'This invite is spent: it was tried too often.',
    remedy: NEW_INVITE,
    vendor: {
      remedy:
        'Somebody between you and the customer may have tried to guess. Go on with the job under a new invite, sent another way: `blindflash flash --resume JOB --new-invite`.',
    },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-USED': {
    sentence: 'This invite has already been used by another computer or an earlier session.',
    remedy: `Return with the computer that used it first, or: ${NEW_INVITE}`,
    vendor: { remedy: `If the customer did not use it, somebody else read it on the way. ${VENDOR_INVITE}` },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },
  'BF-INVITE-VERSION': {
    sentence: 'This invite was made by a newer version of Blindflash.',
    remedy: 'Update Blindflash on this computer, then paste the invite again.',
    vendor: { remedy: 'Update Blindflash on this computer, or make the invite and run the job with the same version.' },
    part: 'invite',
    retry: 'never',
    endsJob: false,
  },

  // ── JOB: the piece of work both sides agreed on ─────────────────────────────────────────────────────────────────
  'BF-JOB-BUSY': {
    sentence: 'Another process is at work on this job.',
    remedy:
      'Go on there, or end it (Ctrl-C) and repeat the command. If there is no such process any more, remove the lock file that is named above.',
    acts: 'vendor',
    part: 'job',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-CODE-REFUSED': {
    sentence: 'Nobody typed the right code in time, so nothing more was sent, and the invite is spent.',
    remedy:
      'Go on with the job under a new invite with its own code: the same command with --resume JOB --new-invite. If the codes differed, somebody else answered the invite: send the new one another way.',
    customer: {
      sentence: 'The vendor did not type the code in time, so nothing more was sent.',
      remedy: 'Ask the vendor for a new invite; if he said that the code was wrong, let him send it another way.',
    },
    part: 'job',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-DECLINED': {
    sentence: 'The customer looked at the plan and said no; nothing was changed on the board.',
    remedy: 'Talk to the customer about what the sheet showed, then start again.',
    customer: {
      sentence: 'You looked at the plan and said no; nothing was changed on the board.',
      remedy: 'Tell the vendor what on the sheet you did not agree to; he can send another plan.',
    },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-DIFFERS': {
    sentence: 'What the chip holds is not this image.',
    remedy:
      'Compare it with the build that was flashed: another build of the same source differs, and so does a program that keeps ' +
      'data in its own flash. `blindflash verify --where` says at which addresses.',
    customer: { remedy: 'Nothing was changed; the vendor knows what was expected.' },
    part: 'job',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-EXPIRED': {
    sentence: 'The chip waited too long for the next piece and gave up; it has wiped its keys.',
    remedy: 'Check both internet connections, then continue with --resume.',
    customer: { remedy: 'Check the internet connection and leave the board powered; the vendor can continue the job.' },
    part: 'job',
    toldBy: 'either',
    retry: 'session',
    endsJob: false,
  },
  'BF-JOB-IMAGE-CHANGED': {
    sentence: 'The image file is not the one this job was started with.',
    remedy: 'Restore the original file to resume, or start a new job with the new file.',
    customer: { remedy: 'The vendor has to restore the file, or start a new job with the new one.' },
    part: 'job',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-INTERRUPTED': {
    sentence: 'The job was interrupted before its end.',
    remedy: 'Leave the board powered and connected; the vendor can continue with --resume.',
    customer: { remedy: 'Leave the board powered and connected; the vendor can continue the job.' },
    vendor: { remedy: 'Ask the customer to leave the board powered and connected, then continue with --resume.' },
    part: 'interrupted',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-NOT-DONE': {
    sentence: 'The job was called done, but the chip has not done it.',
    remedy: 'Continue with --resume; if it happens again, report it with code and log.',
    customer: {
      sentence: 'The vendor’s side says that the job is done, but the chip on this board has not done it.',
      remedy: 'Call the vendor; he can continue the job.',
    },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-NOT-LOCKED': {
    sentence: 'The image is written and verified, but read protection could not be set: the image can be read out.',
    remedy: 'Keep the board under your control and repeat the job, which only has to set the lock.',
    customer: {
      remedy: 'Keep the board in your own hands; the vendor repeats the job, which only has to set the lock.',
    },
    part: 'job',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-OTHER-BOARD': {
    sentence: 'The board was exchanged for another one in the middle of the job.',
    remedy: 'Connect the first board again, or start a new job for this one.',
    customer: { remedy: 'Connect the first board again, or ask the vendor for a new job for this one.' },
    vendor: { remedy: 'Ask the customer to connect the first board again, or start a new job for this one.' },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-OTHER-VENDOR': {
    sentence: 'The job comes from another vendor than the one the invite names.',
    remedy: `Do not go on. ${NEW_INVITE}`,
    vendor: { remedy: 'Run the job with the keys the invite was made with, or make a new invite.' },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-OTHER-WAY': {
    sentence: 'The job is for another way to the board than the one in use.',
    remedy:
      'For a board with a loader start `blindflash agent --serial PORT`, for any other one `blindflash agent` with a probe; the ' +
      'vendor can continue the job.',
    vendor: {
      remedy:
        'For a device with a loader ask the customer to start the agent with --serial PORT, for any other board without ' +
        'it, and continue with --resume.',
    },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-PLANTED': {
    sentence:
      'The loader is on the board and the chip is locked; what is left of the planting goes over the serial line.',
    remedy: 'Switch the board off and on as the agent says, and go on.',
    part: 'job',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-POLICY': {
    sentence: 'The firmware policy asks for a stronger trust mode than this job has.',
    remedy: 'Choose a trust mode the policy allows, or have the policy changed by whoever owns the firmware.',
    customer: { remedy: 'The vendor has to choose another trust mode, or have the policy of this firmware changed.' },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: true,
  },
  'BF-JOB-RECEIPT': {
    sentence: 'The receipt does not verify: it was altered, or signed by somebody else.',
    remedy: 'Compare it with the original in the vendor’s job folder and check which key signed it.',
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-REFUSED': {
    sentence: 'The other side asked for something this computer does not do for anybody.',
    remedy: 'Update Blindflash on both sides; if it happens again, ask the vendor what was being attempted.',
    customer: {
      sentence: 'The vendor’s side asked for something that is not in the plan, and it was refused.',
      remedy: 'Update Blindflash; if it happens again, ask the vendor what was being attempted.',
    },
    vendor: {
      sentence: 'The chip or the agent was asked for something that is not in the plan, and refused it.',
      remedy:
        'Update Blindflash on both sides and continue with --resume; if it happens again, report it with code and log.',
    },
    part: 'job',
    toldBy: 'either',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-SESSIONS': {
    sentence: 'The session with the chip was broken off eight times while the image was on its way.',
    remedy: 'The vendor has to decide whether the job goes on.',
    vendor: {
      remedy:
        'Each time, somebody with a probe on that board may have gained one piece of the image (4 KB). Ask at the customer’s what ' +
        'happened; if you then want to go on, continue with --resume, which allows eight more.',
    },
    part: 'job',
    toldBy: 'vendor',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-STATE': {
    sentence: 'The stored state of this job cannot be read or was altered.',
    remedy: 'Start a new job; sectors already written will simply be written again.',
    customer: { remedy: NEW_INVITE },
    part: 'job',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-STORED-RECEIPT': {
    sentence: 'The receipt stored for this job is not one that these keys signed for this job, plan and chip.',
    remedy:
      'Find out who can write to the vendor’s folder, and put back a backup of the ledger from before that. Where there ' +
      'is none, begin a new job for this unit.',
    part: 'job',
    acts: 'vendor',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-UNKNOWN': {
    sentence: 'There is no job with this id on this computer.',
    remedy: 'List the jobs with `blindflash receipt list`, or run this on the computer that started the job.',
    customer: { remedy: NEW_INVITE },
    part: 'job',
    retry: 'never',
    endsJob: false,
  },
  'BF-JOB-VERIFY': {
    sentence: 'What the chip holds is not what was sent to it.',
    remedy:
      'Check the supply of the board (3.3 V, steady) and repeat. What was just written reads otherwise: if that happens again, the ' +
      'flash may be worn out.',
    customer: { remedy: 'Check the supply of the board (3.3 V, steady); the vendor can repeat the job.' },
    part: 'job',
    retry: 'never',
    endsJob: true,
  },

  // ── KEYS: long-term keys on disk ────────────────────────────────────────────────────────────────────────────────
  'BF-KEYS-DAMAGED': {
    sentence: 'A key file is damaged.',
    remedy: 'Restore it from your backup; it cannot be repaired.',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },
  'BF-KEYS-EXIST': {
    sentence: 'There are already keys here, and they are never overwritten.',
    remedy: 'Name another folder, or move the old keys away yourself if nobody needs them any more.',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },
  'BF-KEYS-MISSING': {
    sentence: 'The vendor keys this needs are not there.',
    remedy: 'Run `blindflash keygen` once, or point --home at the folder that holds them (--keys at the file itself).',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },
  'BF-KEYS-OLD': {
    sentence: 'These keys were made by an older version of Blindflash, which this one does not read.',
    remedy:
      'Finish open jobs with the old version, move the old key file away (keep it: old receipts are checked with it), run ' +
      '`blindflash keygen`, and give the relay operator the new tenant.pub.',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },
  'BF-KEYS-PASSPHRASE': {
    sentence: 'The passphrase does not open the keys.',
    remedy: 'Try again; check the keyboard layout and caps lock.',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },
  'BF-KEYS-PERMISSIONS': {
    sentence: 'Other users of this computer can read or replace a file that holds secrets.',
    remedy: 'Make it yours alone, for example `chmod 600` on the file and `chmod 700` on its folder, then repeat.',
    part: 'keys',
    retry: 'never',
    endsJob: true,
  },

  // ── LEDGER: what the vendor keeps ───────────────────────────────────────────────────────────────────────────────
  'BF-LEDGER-BUSY': {
    sentence: 'Another process has kept the ledger to itself for ten seconds.',
    remedy:
      'Wait until it is through, or end it, and repeat the command. A program that looks into ledger.db counts too.',
    part: 'ledger',
    retry: 'never',
    endsJob: false,
  },
  'BF-LEDGER-DAMAGED': {
    sentence: 'The ledger in the vendor’s folder is damaged, was altered, or is no ledger.',
    remedy:
      'Move ledger.db, ledger.db-wal and ledger.db-shm away together and put your newest backup in their place. The keys are ' +
      'a file of their own, and so are the receipts under receipts/.',
    part: 'ledger',
    retry: 'never',
    endsJob: false,
  },
  'BF-LEDGER-DISK': {
    sentence: 'The ledger could not be written or read; nothing of the last step was kept.',
    remedy: 'Make room on the disk, or see what is wrong with it; then go on with the same command and --resume.',
    part: 'ledger',
    retry: 'never',
    endsJob: false,
  },
  'BF-LEDGER-NEWER': {
    sentence: 'A newer version of Blindflash has written the ledger.',
    remedy: 'Update Blindflash on this computer, and repeat the command.',
    part: 'ledger',
    retry: 'never',
    endsJob: false,
  },
  'BF-LEDGER-TAKE-OVER': {
    sentence:
      'A file in the vendor’s folder is not as Blindflash left it, so that none were taken over into the ledger.',
    remedy: 'Put the right file back, or move this one out of the folder if nobody needs it; then repeat the command.',
    part: 'ledger',
    retry: 'never',
    endsJob: false,
  },

  // ── LINK: one WebSocket ─────────────────────────────────────────────────────────────────────────────────────────
  'BF-LINK-CLOSED': {
    sentence: 'The connection to the relay was closed.',
    remedy: 'Check the internet connection; Blindflash comes back to the same room by itself when it can.',
    part: 'link',
    retry: 'link',
    endsJob: false,
  },
  'BF-LINK-FRAME': {
    sentence: 'Something arrived on the connection that is not Blindflash.',
    remedy: 'A proxy on the way may be interfering; try another network, and check the relay address.',
    part: 'link',
    retry: 'never',
    endsJob: false,
  },
  'BF-LINK-TIMEOUT': {
    sentence: 'The connection to the relay went silent.',
    remedy: 'Check the internet connection, and that the computer did not go to sleep.',
    part: 'link',
    retry: 'link',
    endsJob: false,
  },
  'BF-LINK-TOO-LARGE': {
    sentence: 'A message larger than the agreed limit arrived and was refused.',
    remedy: 'Update Blindflash on both sides.',
    part: 'link',
    retry: 'never',
    endsJob: false,
  },

  // ── PLAN: the consent-bound job description ─────────────────────────────────────────────────────────────────────
  'BF-LOADER-CLOCK': {
    sentence: 'The clock of the chip does not start, so its loader can do nothing.',
    remedy: 'Switch the board off and on and repeat; if it fails again, the chip or its supply is defective.',
    part: 'loader',
    retry: 'board',
    endsJob: false,
  },
  'BF-LOADER-FLASH': {
    sentence: 'The loader could not write to the flash of the chip.',
    remedy: 'Check the supply of the board (3.3 V, steady), switch it off and on, and continue with --resume.',
    customer: {
      remedy:
        'Check the supply of the board (3.3 V, steady), and switch it off and on. A job the vendor can continue; an update file goes on by the same command.',
    },
    vendor: {
      remedy:
        'Have the supply of the board checked (3.3 V, steady) and the board switched off and on, then continue with --resume.',
    },
    part: 'loader',
    retry: 'never',
    endsJob: false,
  },
  'BF-LOADER-KEYS': {
    sentence: 'The loader of this board has no keys that it may use now.',
    remedy:
      'Take probe and serial adapter off, leave the board without any supply for some seconds, switch it on, and connect the serial adapter alone: after a debugger, or a start that was none with the power, keys are neither used nor made.',
    vendor: {
      remedy:
        'Have probe and adapter taken off and the board switched off for some seconds. If it stays so, the chip is not at read protection level 1, or its seven key slots are used up: it has to be erased and planted again.',
    },
    part: 'loader',
    retry: 'board',
    endsJob: false,
  },
  'BF-LOADER-PRODUCT': {
    sentence: 'The loader of this board belongs to another product than the job.',
    remedy: 'Connect the board the vendor means; if it is the one, tell him: nothing on this desk can change it.',
    vendor: {
      remedy:
        'Ask for the right board, or plan the job for its product: the number `loader make` was given, which `doctor --serial` shows.',
    },
    part: 'loader',
    retry: 'never',
    endsJob: true,
  },
  'BF-LOADER-SILENT': {
    sentence: 'The loader of the board does not answer any more.',
    remedy: 'Check the serial wires, switch the board off and on, and continue with --resume.',
    customer: {
      remedy:
        'Check the serial wires and switch the board off and on. A job the vendor can continue; an update file goes on by the same command.',
    },
    vendor: { remedy: 'Have the serial wires checked and the board switched off and on, and continue with --resume.' },
    part: 'loader',
    retry: 'board',
    endsJob: false,
  },
  'BF-LOADER-UNKNOWN': {
    sentence: 'The loader in this chip is not one this version of Blindflash knows.',
    remedy:
      'Use the version of Blindflash the board was planted with. Nothing is sent to a loader whose hash is not known: it may be somebody else’s.',
    customer: { remedy: 'Tell the vendor: he looks whether it is his board, and which version it was planted with.' },
    part: 'loader',
    retry: 'never',
    endsJob: true,
  },
  'BF-LOADER-VERSION': {
    sentence: 'The board takes no version as old as this one.',
    remedy: 'Tell the vendor: he has to come with a later version. There is nothing to do at the board.',
    vendor: {
      remedy:
        'Give the image a --release not below the floor of the board, which the last complete image has set and `doctor --serial` shows.',
    },
    part: 'loader',
    retry: 'never',
    endsJob: true,
  },
  'BF-LOADER-WRITE-PROTECTED': {
    sentence: 'Sectors this job would erase are write-protected, and a loader never changes option bytes.',
    remedy: 'Tell the vendor: the image has to spare these sectors. There is nothing to do at the board.',
    vendor: {
      remedy: 'Link the image so that it spares these sectors: on a locked chip the protection is there to stay.',
    },
    part: 'loader',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-CONFIRMATION': {
    sentence: 'The plan holds a step that can never be undone, and it was not confirmed in full.',
    remedy: 'Read the plan again; RDP 2 and OTP need both confirmations and the last digits of the chip’s id.',
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-HASH': {
    sentence: 'The plan is not the one whose hash was expected.',
    remedy: 'Compare with `blindflash plan`; give the hash it prints if this is the plan you mean.',
    customer: { remedy: 'Ask the vendor for the hash of the plan he means, and compare it with the one on the sheet.' },
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-MALFORMED': {
    sentence: 'The plan that arrived breaks the rules of its format and was refused.',
    remedy: 'Update Blindflash on both sides; if it happens again, do not go on and tell the vendor.',
    vendor: { remedy: 'Update Blindflash on both sides; if it happens again, report it with the code and the log.' },
    acts: 'anybody',
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-OPTIONS': {
    sentence: 'The plan asks for an option-byte change this job may not make.',
    remedy: 'Remove the change from the plan, or ask for it by its own option.',
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-RANGE': {
    sentence: 'The plan programs or checks flash that it does not erase or does not own.',
    remedy: 'Make the plan again with `blindflash plan`; an image that shares a sector with other data must say so.',
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-TOO-LONG': {
    sentence: 'The plan has more parts than the chip can keep in mind.',
    remedy: 'Fill the gaps in the image so that it has fewer separate parts.',
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },
  'BF-PLAN-WRONG-CHIP': {
    sentence: 'The plan was made for another chip than the one connected.',
    remedy: 'Connect the right board, or make the plan for this one.',
    customer: { remedy: 'Connect the board the vendor means, or tell him which chip yours has.' },
    vendor: { remedy: 'Ask the customer to connect the right board, or make the plan for this one.' },
    part: 'plan',
    retry: 'never',
    endsJob: true,
  },

  // ── PROBE: the ST-LINK and the way to it ────────────────────────────────────────────────────────────────────────
  'BF-PROBE-ADDON': {
    sentence: 'The USB library on this computer is not the one this version of Blindflash was made with.',
    remedy:
      'Install Blindflash again in an empty folder, without building packages from source. If that does not help, something on this ' +
      'computer replaces it: use another one.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-BUSY': {
    sentence: 'Another program is using the ST-LINK.',
    remedy:
      'Let a Blindflash that is at work finish. Close CubeProgrammer, CubeIDE, OpenOCD, st-flash and any browser page that ' +
      'talks to the probe, then repeat.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-CLOSED': {
    sentence: 'The ST-LINK was used before it was opened or after it was closed.',
    remedy: 'Start the command again.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-COMMAND': {
    sentence: 'The ST-LINK refused a command.',
    remedy: `${REPLUG} If it happens again, update its firmware with ST’s STSW-LINK007.`,
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-DRIVER': {
    sentence: 'Windows has no suitable driver for the ST-LINK.',
    remedy: 'Install ST’s driver package STSW-LINK009, or bind WinUSB to “ST-Link Debug” (interface 0) with Zadig.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-GARBAGE': {
    sentence: 'The ST-LINK answered something that makes no sense.',
    remedy: `${REPLUG} Try another cable and a USB port on the computer itself; clones may need a firmware update.`,
    part: 'probe',
    retry: 'access',
    endsJob: false,
  },
  'BF-PROBE-LOADER': {
    sentence: 'The ST-LINK is waiting in its own boot loader.',
    remedy: `${REPLUG} If it stays that way, load its firmware with ST’s STSW-LINK007.`,
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-NONE': {
    sentence: 'No ST-LINK found.',
    remedy: 'Plug it in with a data cable (not a charging cable), look for its light, and repeat the command.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-OLD-FIRMWARE': {
    sentence: 'The firmware of this ST-LINK is too old.',
    remedy: 'Update it with ST’s tool STSW-LINK007 (a minute, free of charge), then repeat the command.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-PERMISSION': {
    sentence: 'This computer does not let you use the ST-LINK.',
    remedy:
      'On Linux put SUBSYSTEM=="usb", ATTR{idVendor}=="0483", MODE="0660", TAG+="uaccess" into ' +
      '/etc/udev/rules.d/70-st-link.rules, run `sudo udevadm control --reload`, and plug the probe in again. ' +
      'Elsewhere, close other programs that use it.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-SERVER': {
    sentence: 'The ST-LINK server cannot be reached or refused to help.',
    remedy: 'Check that stlink-server is running at that address and port (usually 7184), or use the probe over USB.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-SEVERAL': {
    sentence: 'More than one ST-LINK is connected.',
    remedy: 'Unplug the others, or name the one you mean with --probe and its serial number.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-SPEED': {
    sentence: 'The ST-LINK does not know this SWD speed.',
    remedy: 'Choose one of the speeds `blindflash doctor` lists.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-TIMEOUT': {
    sentence: 'The ST-LINK stopped answering.',
    remedy: REPLUG,
    part: 'probe',
    retry: 'access',
    endsJob: false,
  },
  'BF-PROBE-UNPLUGGED': {
    sentence: 'The ST-LINK was unplugged.',
    remedy: 'Plug it in again, leave it, and start the agent again: it goes on with the job.',
    vendor: { remedy: 'The customer plugs it in again and starts the agent again; go on with --resume.' },
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },
  'BF-PROBE-UNSUPPORTED': {
    sentence: 'This probe cannot do what is needed here.',
    remedy: 'Use an ST-LINK/V2, V2-1 or V3; the V1 and the SWIM-only versions do not work.',
    part: 'probe',
    retry: 'never',
    endsJob: false,
  },

  // ── RELAY: the meeting place in between ─────────────────────────────────────────────────────────────────────────
  'BF-RELAY-ADDRESS': {
    sentence: 'The address of the relay is not usable.',
    remedy: 'It looks like wss://relay.example.com; copy it as the operator of the relay gave it.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-BUSY': {
    sentence: 'The relay is full at the moment.',
    remedy: 'Try again in a minute.',
    part: 'relay',
    retry: 'link',
    endsJob: false,
  },
  'BF-RELAY-CAP': {
    sentence: 'This connection has carried as much data as its ticket allows.',
    remedy: 'The vendor continues with --resume, or issues a ticket with a higher cap.',
    customer: { remedy: 'The vendor can continue the job, or send an invite that carries more.' },
    vendor: { remedy: 'Continue with --resume, or start again with an invite that carries more.' },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-CONFIG': {
    sentence: 'The configuration of the relay is not usable.',
    remedy: 'Correct the tenants file or the option named here; the relay does not start half-configured.',
    acts: 'operator',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-CROWDED': {
    sentence: 'A newer connection took this place in the room.',
    remedy: 'Look for a second window or computer using the same invite; if there is none, tell the vendor.',
    vendor: {
      remedy: `Look for a second window or computer running this job; if there is none, the relay was deceived. ${VENDOR_INVITE}`,
    },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-DATE': {
    sentence: 'By the date of this computer the certificate of the relay is not valid.',
    remedy: 'Set the date of this computer right. If it is right, the operator of the relay renews the certificate.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-LAGGING': {
    sentence: 'This side took in data too slowly, so the relay closed the room.',
    remedy: 'Use a better internet connection, then continue; nothing that was acknowledged is lost.',
    part: 'relay',
    retry: 'link',
    endsJob: false,
  },
  'BF-RELAY-LISTEN': {
    sentence: 'The relay cannot listen at this address.',
    remedy: 'Check that no other program uses the port, and that the address belongs to this computer.',
    acts: 'operator',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-LONELY': {
    sentence: 'The other side did not come.',
    remedy: 'Call them, and start again when both are ready.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-OPEN': {
    sentence: 'A relay that admits everybody may only listen on this computer itself.',
    remedy: 'Listen on 127.0.0.1, or name a tenants file with --tenants instead of --open.',
    acts: 'operator',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PEER-GONE': {
    sentence: 'The other side left and did not come back.',
    remedy: 'Call them; the job can be continued while this computer keeps waiting.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PORTAL': {
    sentence: 'A page of this network answered in the place of the relay.',
    remedy: 'Open a browser, log in to the network, and start again; or take another network, a telephone hotspot.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PROTOCOL': {
    sentence: 'The relay and this program do not understand one another.',
    remedy: 'Check the relay address, and update Blindflash.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PROXY': {
    sentence: 'The proxy of this network does not open a connection to the relay.',
    remedy: 'Ask whoever runs the network to allow it, or take another network, a telephone hotspot.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PROXY-ADDRESS': {
    sentence: 'What HTTPS_PROXY, HTTP_PROXY or ALL_PROXY says is no address of a proxy that can be used here.',
    remedy: 'It looks like http://proxy.example.com:3128; of a user or password, % and other signs are written as %25.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PROXY-LOGIN': {
    sentence: 'The proxy of this network asks for a user name and a password.',
    remedy: 'Write them into the environment variable HTTPS_PROXY: http://USER:PASSWORD@proxy.example.com:3128.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-PROXY-UNREACHABLE': {
    sentence: 'The proxy that HTTPS_PROXY or HTTP_PROXY names cannot be reached.',
    remedy: 'Check its address; in a network without a proxy, unset the variable or name the relay in NO_PROXY.',
    part: 'relay',
    retry: 'link',
    endsJob: false,
  },
  'BF-RELAY-REFUSED': {
    sentence: 'The relay does not admit this connection.',
    remedy: `Check the clock of this computer. ${NEW_INVITE}`,
    vendor: { remedy: `Check the clock of this computer. ${VENDOR_INVITE}` },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-SHUTDOWN': {
    sentence: 'The relay is being restarted.',
    remedy: 'Wait a moment; Blindflash comes back by itself.',
    part: 'relay',
    retry: 'link',
    endsJob: false,
  },
  'BF-RELAY-TICKET-EXPIRED': {
    sentence: 'The ticket for the relay has expired.',
    remedy: `Check the clock of this computer. ${NEW_INVITE}`,
    vendor: { remedy: `Check the clock of this computer. ${VENDOR_INVITE}` },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-TICKET-INVALID': {
    sentence: 'The ticket for the relay is not genuine or belongs to another relay.',
    remedy: NEW_INVITE,
    vendor: { remedy: VENDOR_INVITE },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-TLS': {
    sentence: 'The relay could not prove that it is the one it claims to be.',
    remedy: 'A proxy or virus scanner may be in between; try another network. Do not switch the check off.',
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-UNKNOWN-TENANT': {
    sentence: 'The relay does not know this vendor.',
    remedy: 'The vendor asks the relay’s operator to enter his public key into the tenants file.',
    vendor: { remedy: 'Ask the operator of the relay to enter your public key into the tenants file.' },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },
  'BF-RELAY-UNREACHABLE': {
    sentence: 'The relay cannot be reached.',
    remedy: 'Check the internet connection; company networks may block it, then try a telephone hotspot.',
    part: 'relay',
    retry: 'link',
    endsJob: false,
  },
  'BF-RELAY-WRONG-RELAY': {
    sentence: 'The ticket was made for another relay than the one that answered.',
    remedy: `Check the relay address. ${NEW_INVITE}`,
    vendor: { remedy: `Check the relay address. ${VENDOR_INVITE}` },
    part: 'relay',
    retry: 'never',
    endsJob: false,
  },

  // ── SERIAL: the line to a locked board ──────────────────────────────────────────────────────────────────────────
  'BF-SERIAL-ADAPTER': {
    sentence: 'This ST-LINK has no serial port: a V2 is a probe and nothing else.',
    remedy: 'Connect a USB serial adapter (3.3 V) to the pins the vendor names, and give its port with --serial.',
    part: 'serial',
    retry: 'never',
    endsJob: false,
  },
  'BF-SERIAL-BUSY': {
    sentence: 'The serial port cannot be opened: another program has it, or this user may not.',
    remedy:
      'Close terminal programs that use it. On Linux: sudo usermod -aG dialout $USER, then sign out and in again.',
    part: 'serial',
    retry: 'board',
    endsJob: false,
  },
  'BF-SERIAL-GONE': {
    sentence: 'The serial port is gone.',
    remedy: 'Plug its cable in again and continue with --resume.',
    customer: { remedy: 'Plug its cable in again; the vendor can continue the job.' },
    vendor: { remedy: 'Have its cable plugged in again, and continue with --resume.' },
    part: 'serial',
    retry: 'board',
    endsJob: false,
  },
  'BF-SERIAL-LIST': {
    sentence: 'The serial ports of this computer cannot be listed.',
    remedy: 'Give the port by name, for example --serial /dev/ttyACM0 or COM3; on Linux listing takes udevadm.',
    part: 'serial',
    retry: 'never',
    endsJob: false,
  },
  'BF-SERIAL-NONE': {
    sentence: 'There is no such serial port.',
    remedy: 'Plug its cable in, and look at the name: /dev/ttyACM0 or /dev/ttyUSB0 on Linux, COM3 on Windows.',
    part: 'serial',
    retry: 'never',
    endsJob: false,
  },
  'BF-SERIAL-NONSENSE': {
    sentence: 'What answers on the serial port says what no loader says.',
    remedy: 'Switch the board off and on and repeat the command; if it happens again, tell the vendor.',
    vendor: { remedy: 'Have the board switched off and on, and continue with --resume.' },
    part: 'serial',
    retry: 'board',
    endsJob: false,
  },
  'BF-SERIAL-SILENT': {
    sentence: 'No loader answers on the serial port.',
    remedy:
      'Check that RX and TX are crossed, that ground is connected, and that it is the port of this board; then switch the board off and on while the command looks for it.',
    part: 'serial',
    retry: 'board',
    endsJob: false,
  },

  // ── STUB: our code in the chip's RAM ────────────────────────────────────────────────────────────────────────────
  'BF-STUB-ABORTED': {
    sentence: 'The chip ended the session and wiped its keys.',
    remedy: 'Continue with --resume; if it happens again, check the supply of the board.',
    customer: { remedy: 'The vendor can continue the job; if it happens again, check the supply of the board.' },
    part: 'stub',
    retry: 'never',
    endsJob: false,
  },
  'BF-STUB-AUTHENTICATION': {
    sentence: 'A message did not come through to the chip unaltered, and the session was ended.',
    remedy: 'Continue with --resume; if it happens again, somebody or something on the way alters the data.',
    customer: {
      remedy: 'The vendor can continue the job; if it happens again, somebody or something on the way alters the data.',
    },
    part: 'stub',
    retry: 'session',
    endsJob: false,
  },
  'BF-STUB-CRASHED': {
    sentence: 'The program in the chip’s RAM stopped unexpectedly.',
    remedy: 'Switch the board off and on and continue with --resume.',
    customer: { remedy: 'Switch the board off and on; the vendor can continue the job.' },
    vendor: { remedy: 'Have the board switched off and on, and continue with --resume.' },
    part: 'stub',
    retry: 'board',
    endsJob: false,
  },
  'BF-STUB-ENTROPY': {
    sentence: 'The random generator of the chip does not work properly, so no key can be made.',
    remedy: 'Switch the board off and on and repeat; if it fails again, the chip is defective.',
    part: 'stub',
    retry: 'never',
    endsJob: true,
  },
  'BF-STUB-ERASE': {
    sentence: 'The chip could not erase a sector.',
    remedy: 'Check the supply of the board and whether the sector is write-protected, then continue with --resume.',
    customer: { remedy: 'Check the supply of the board; the vendor can continue the job.' },
    vendor: {
      remedy:
        'Have the supply of the board checked, and whether the sector is write-protected; then continue with --resume.',
    },
    part: 'stub',
    retry: 'never',
    endsJob: false,
  },
  'BF-STUB-LOAD': {
    sentence: 'The program for the chip’s RAM did not arrive there unaltered.',
    remedy: 'Use shorter wires to the board, check ground, or lower the speed with --speed 950.',
    part: 'stub',
    retry: 'board',
    endsJob: false,
  },
  'BF-STUB-MAILBOX': {
    sentence: 'The program in the chip’s RAM writes answers that make no sense.',
    remedy: 'Switch the board off and on and continue with --resume; use shorter wires.',
    customer: { remedy: 'Switch the board off and on and use shorter wires; the vendor can continue the job.' },
    vendor: { remedy: 'Have the board switched off and on, with shorter wires, and continue with --resume.' },
    part: 'stub',
    retry: 'board',
    endsJob: false,
  },
  'BF-STUB-OPTIONS': {
    sentence: 'The chip could not change its option bytes.',
    remedy: 'Do not switch the board off; continue with --resume.',
    customer: { remedy: 'Do not switch the board off; the vendor can continue the job.' },
    vendor: { remedy: 'The board must not be switched off; continue with --resume.' },
    part: 'stub',
    retry: 'never',
    endsJob: false,
  },
  'BF-STUB-PROGRAM': {
    sentence: 'The chip could not program its flash.',
    remedy: 'Check the supply of the board (3.3 V, steady), then continue with --resume.',
    customer: { remedy: 'Check the supply of the board (3.3 V, steady); the vendor can continue the job.' },
    vendor: { remedy: 'Have the supply of the board checked (3.3 V, steady), then continue with --resume.' },
    part: 'stub',
    retry: 'never',
    endsJob: false,
  },
  'BF-STUB-SECOND-KEY': {
    sentence: 'The chip showed two different keys in one session, which no honest one does.',
    remedy: 'Nothing was sent for the second key. Go on with --resume; if it happens again, call the customer.',
    customer: { remedy: 'Nothing was sent for the second key. Call the vendor, who can continue the job.' },
    part: 'stub',
    retry: 'never',
    endsJob: false,
  },
  'BF-STUB-SILENT': {
    sentence: 'The program in the chip’s RAM does not answer.',
    remedy: 'Switch the board off and on, check the wires, and continue with --resume.',
    customer: { remedy: 'Switch the board off and on and check the wires; the vendor can continue the job.' },
    vendor: { remedy: 'Have the board switched off and on and the wires checked, and continue with --resume.' },
    part: 'stub',
    retry: 'board',
    endsJob: false,
  },
  'BF-STUB-UNKNOWN': {
    sentence: 'This program for the chip’s RAM is not one this version of Blindflash knows.',
    remedy: 'Update Blindflash; it never runs a program on the board whose hash it does not know.',
    part: 'stub',
    retry: 'never',
    endsJob: true,
  },
  'BF-STUB-VENDOR-KEY': {
    sentence: 'The loader on this chip takes no such job by this key of the vendor.',
    remedy:
      'The key is not in the loader’s config, has not the role the job needs (sessions, for `keys` keys), was cleared, or is among ' +
      'those to be cleared: use the folder (--home) of a key that may.',
    customer: { remedy: 'Nothing on this desk can change that: the vendor has to come with another key.' },
    part: 'stub',
    retry: 'never',
    endsJob: true,
  },

  // ── TARGET: the chip and its wiring ─────────────────────────────────────────────────────────────────────────────
  'BF-TARGET-ALIGNMENT': {
    sentence: 'An access to the chip was not aligned to its width.',
    remedy: REPORT,
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: false,
  },
  'BF-TARGET-BANK2-BOOT': {
    sentence:
      'The option byte BFB2 is set: the chip starts from flash bank 2, so another program than the image would run.',
    remedy: 'Tell the vendor: his `blindflash unlock` clears it, and erases nothing on a chip that is not locked.',
    vendor: {
      remedy: '`blindflash unlock` clears it, and erases nothing on a chip that is not locked. Then repeat the job.',
    },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-DUAL-BANK': {
    sentence:
      'This chip of 1 MB is divided into two banks (option bit DB1M), in which the sectors are others than planned.',
    remedy: 'Tell the vendor: his `blindflash unlock` sets one bank, and erases nothing on a chip that is not locked.',
    vendor: {
      remedy:
        '`blindflash unlock` sets one bank, and erases nothing on a chip that is not locked. Then repeat the job.',
    },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-FAULT': {
    sentence: 'The chip refused an access to its memory.',
    remedy: 'Check the wires (SWDIO, SWCLK, GND) and the supply; a chip of another type may be connected.',
    part: 'target',
    retry: 'access',
    endsJob: false,
  },
  'BF-TARGET-NO-HALT': {
    sentence: 'The processor of the chip does not stop when asked to.',
    remedy: 'Connect the reset wire (NRST) too, switch the board off and on, and repeat.',
    part: 'target',
    retry: 'board',
    endsJob: false,
  },
  'BF-TARGET-NO-LOADER': {
    sentence: 'There is no resident loader for this type of chip: it lacks what a loader needs.',
    remedy:
      'Nothing on this board can change that: use a chip that has a random generator and backup SRAM (STM32F405/407/415/417, F427/429/437/439, F469/479).',
    acts: 'vendor',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-NO-POWER': {
    sentence: 'The board has no supply voltage, or the probe does not see it.',
    remedy: 'Switch the board on, and connect VTref (VAPP) of the probe to the 3.3 V of the board.',
    part: 'target',
    retry: 'board',
    endsJob: false,
  },
  'BF-TARGET-NO-POWER-CYCLE': {
    sentence: 'The option bytes are written, but the board was not seen being switched off and on.',
    remedy: 'Switch the board off and on. If it has another supply (USB, battery), take that away, too.',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-NO-RANDOM': {
    sentence:
      'This type of chip has no random generator, so it cannot make a key, and no sealed image can be sent to it.',
    remedy:
      'Nothing on this board can change that: vendor and customer need one with a chip that has a generator (STM32F405/407/415/417, F427/429/437/439, F469/479), or program it at the vendor’s bench.',
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-NO-RESET': {
    sentence: 'The chip could not be reset.',
    remedy: 'Connect the reset wire (NRST), or switch the board off and on, and repeat.',
    part: 'target',
    retry: 'board',
    endsJob: false,
  },
  'BF-TARGET-NONE': {
    sentence: 'The probe works, but no chip answers.',
    remedy:
      'Check SWDIO, SWCLK, GND and the supply. A program that switches SWD off can be reached under reset only: connect NRST, or start again with --under-reset and hold the reset button when asked to.',
    part: 'target',
    retry: 'board',
    endsJob: false,
  },
  'BF-TARGET-OPTIONS': {
    sentence: 'The option bytes of the chip could not be written as agreed.',
    remedy:
      'Leave the board powered and start the agent again with the same invite; `blindflash doctor` says what they are now.',
    vendor: {
      remedy: 'Let the customer run `blindflash doctor`, which says what they are now, and start again with --resume.',
    },
    part: 'target',
    retry: 'never',
    endsJob: false,
  },
  'BF-TARGET-OPTIONS-CUT': {
    sentence:
      'The option bytes of the chip are erased: writing them was cut off by a reset or by the supply. The chip is locked and runs nothing.',
    remedy: 'The vendor’s `blindflash unlock` cures it; what was in the flash is lost with it.',
    vendor: { remedy: '`blindflash unlock` cures it; what was in the flash is lost with it.' },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-OPTIONS-TORN': {
    sentence:
      'The chip is locked, but not as a planting leaves it: its one option write was cut off, or the loader came onto it in another way.',
    remedy: 'The vendor’s `blindflash unlock` erases everything on it; then it is planted again from the start.',
    vendor: { remedy: '`blindflash unlock` erases everything on it; then plant it again from the start.' },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-PCROP': {
    sentence: 'Sectors are protected against reading and writing (PCROP, option bit SPRMOD).',
    remedy: 'Only the vendor’s `blindflash unlock` takes that away, and it erases the whole chip.',
    vendor: { remedy: 'Only `blindflash unlock` takes that away, and it erases the whole chip.' },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-RDP1': {
    sentence: 'The chip is read-protected (RDP level 1).',
    remedy:
      'It was locked before. The vendor’s `blindflash unlock` takes the lock away and erases everything on the chip.',
    vendor: {
      remedy: 'It was locked before. `blindflash unlock` takes the lock away and erases everything on the chip.',
    },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-RDP2': {
    sentence: 'The chip is locked for ever (RDP level 2).',
    remedy: 'Nobody can reprogram it by probe again; take another board.',
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-SUPPLY': {
    sentence: 'The supply of the board is below 2.7 V, or too close to it, for the one option write of a planting.',
    remedy: 'Supply the board with 3.0 to 3.6 V and repeat; the option bytes have not been touched.',
    part: 'target',
    retry: 'never',
    endsJob: false,
  },
  'BF-TARGET-UNLOCKED': {
    sentence: 'The chip is not locked: who has it can read the key it was to keep.',
    remedy: 'Nothing was sent to it. The vendor plants the loader anew.',
    vendor: { remedy: 'Nothing was sent to it, and its key is worth nothing: plant the loader on it anew.' },
    acts: 'vendor',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-WAIT': {
    sentence: 'The chip kept the probe waiting too long.',
    remedy:
      'It is asleep or busy. Connect NRST of the probe to NRST of the board and repeat; without that wire start again and hold the reset button when you are asked to.',
    part: 'target',
    retry: 'access',
    endsJob: false,
  },
  'BF-TARGET-WATCHED': {
    sentence: 'A debugger is at work on the locked chip.',
    remedy: 'Unplug every probe from the board, switch the board off and on, and repeat the command.',
    vendor: { remedy: 'Have every probe unplugged and the board switched off and on, and continue with --resume.' },
    part: 'target',
    retry: 'board',
    endsJob: false,
  },
  'BF-TARGET-WIRE': {
    sentence: 'The signals between probe and chip are disturbed.',
    remedy: 'Use shorter wires, connect ground well, or lower the speed with --speed 950.',
    part: 'target',
    retry: 'access',
    endsJob: false,
  },
  'BF-TARGET-WRITE-PROTECTED': {
    sentence: 'Sectors this job would erase are write-protected by option bytes of the chip.',
    remedy: 'Tell the vendor: he decides whether the job may lift the protection. There is nothing to do at the board.',
    vendor: {
      remedy:
        'Plan the job with --lift-write-protection, which puts the protection back at the end, or spare the sectors.',
    },
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },
  'BF-TARGET-WRONG-CHIP': {
    sentence: 'The chip is not one this job can work with.',
    remedy:
      'Check the marking on the chip: it must be an STM32F405, F407, F415, F417, F427, F429, F437, F439, F469 or F479.',
    acts: 'anybody',
    part: 'target',
    retry: 'never',
    endsJob: true,
  },

  // ── TUNNEL: controller ↔ agent, and the sealed session inside it ────────────────────────────────────────────────
  'BF-TUNNEL-AUTHENTICATION': {
    sentence: 'A message from the other side was altered on the way or sealed by somebody else.',
    remedy: `Start again. If it happens twice: ${NEW_INVITE}`,
    vendor: { remedy: `Start again. If it happens twice: ${VENDOR_INVITE}` },
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-CLOSED': {
    sentence: 'The other side has ended the session.',
    remedy: 'Call them; start again when both are ready.',
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-FLOOD': {
    sentence: 'The other side sent far more messages than an honest one has to say.',
    remedy: 'Update Blindflash on both sides; if it happens again, call them.',
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-HANDSHAKE': {
    sentence: 'The other side could not prove that it is the one the invite names.',
    remedy: `Do not go on. ${NEW_INVITE}`,
    vendor: { remedy: `Do not go on. ${VENDOR_INVITE}` },
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-MESSAGE': {
    sentence: 'The other side sent a message that breaks the rules.',
    remedy: 'Update Blindflash on both sides.',
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-ORDER': {
    sentence: 'Messages of the session are missing or arrive in the wrong order.',
    remedy: 'Start again; if it happens twice, something on the way drops or repeats data.',
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },
  'BF-TUNNEL-TIMEOUT': {
    sentence: 'The other side is connected but does not answer.',
    remedy: 'Call them; on their screen a question may be waiting for an answer.',
    part: 'tunnel',
    retry: 'never',
    endsJob: false,
  },

  // ── USAGE ───────────────────────────────────────────────────────────────────────────────────────────────────────
  'BF-UPDATE-CHANGED': {
    sentence: 'The update file is not as the vendor made it; the device found a part that is not his.',
    remedy: 'Fetch or copy the file again and repeat the command; the board has no complete image until then.',
    vendor: {
      remedy:
        'Compare the file with the one you made: it was changed on its way. The device programmed nothing of what was changed.',
    },
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-UPDATE-INTERRUPTED': {
    sentence: 'The update was broken off: board, cable or serial port went away.',
    remedy:
      'Connect the board and its serial port, and repeat the command with the same file. It begins anew; until it is done the board may have no program.',
    part: 'update',
    retry: 'board',
    endsJob: false,
  },
  'BF-UPDATE-MALFORMED': {
    sentence: 'This is no whole update file.',
    remedy: 'Fetch or copy it again, in full; if it stays so, the vendor makes another with `blindflash package`.',
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-UPDATE-RECIPIENTS': {
    sentence: 'These are not devices one update file can be sealed for.',
    remedy:
      'See which there are with `blindflash devices list`, and name those with --to; more than 65536 need several files.',
    acts: 'vendor',
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-UPDATE-REFUSED': {
    sentence: 'The device does not take this update file.',
    remedy: 'Ask the vendor for a file that is sealed for this device and not older than what it runs.',
    vendor: {
      remedy:
        'Look whether product, version and floor fit what the device runs, and whether it is among the devices the file was sealed for; otherwise the file was changed on its way.',
    },
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-UPDATE-TRIES': {
    sentence: 'The device has opened this update file sixteen times, and takes it no more.',
    remedy: 'Ask the vendor for the same image in another file; keep board and adapter connected until it is done.',
    vendor: {
      remedy:
        'Make another file of the image with `blindflash package`; look why sixteen installs were begun, for somebody may be breaking them off to get at the image or the device’s key.',
    },
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-UPDATE-VERSION': {
    sentence: 'This update file was made by a later version of Blindflash.',
    remedy: 'Update Blindflash on this computer.',
    part: 'update',
    retry: 'never',
    endsJob: true,
  },
  'BF-USAGE': {
    sentence: 'The command line is not complete or contradicts itself.',
    remedy: 'Run the command with --help; it shows an example.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-CONFIG': {
    sentence: 'The config file of the loader is not as it has to be.',
    remedy: 'Mend the line that is named, and repeat the command; docs/loader.md, "Config", shows a whole file.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-FILE': {
    sentence: 'A file named here cannot be read or written.',
    remedy: 'Check the path, that you may use it, and that the disk is not full.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-NOT-INTERACTIVE': {
    sentence: 'A question has to be answered, but nobody is at the keyboard.',
    remedy: 'Run it in a terminal, or give the answer by option as --help describes.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-PORT': {
    sentence: 'This TCP port cannot be used.',
    remedy: 'Another program may have it: choose another port, or 0 for any free one.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-PTY': {
    sentence: 'No pseudo-terminal could be made.',
    remedy: 'It takes the program python3 on Linux or macOS: install it, or use --serial tcp:PORT.',
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },
  'BF-USAGE-SECRET-ARGUMENT': {
    sentence: 'A secret was given on the command line, where others on this computer can see it.',
    remedy: `Paste it at the prompt, or name a file that holds it. This one is spent: ${NEW_INVITE}`,
    vendor: { remedy: `Paste it at the prompt, or name a file that holds it. This one is spent: ${VENDOR_INVITE}` },
    part: 'usage',
    retry: 'never',
    endsJob: false,
  },

  // ── VERSION ─────────────────────────────────────────────────────────────────────────────────────────────────────
  'BF-VERSION-FILE': {
    sentence: 'This file was written by another version of Blindflash, and this one does not go on with it.',
    remedy: 'Finish the job with the version that began it, or start a new one.',
    customer: { remedy: `Finish the job with the version that began it, or: ${NEW_INVITE}` },
    part: 'version',
    retry: 'never',
    endsJob: true,
  },
  'BF-VERSION-MISMATCH': {
    sentence: 'The two sides run versions of Blindflash that do not fit together.',
    remedy: 'Update Blindflash on the side with the older version.',
    part: 'version',
    retry: 'never',
    endsJob: true,
  },
  'BF-VERSION-NODE': {
    sentence: 'This Node.js is too old.',
    remedy: 'Install Node.js 20.19 or newer.',
    part: 'version',
    retry: 'never',
    endsJob: true,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
