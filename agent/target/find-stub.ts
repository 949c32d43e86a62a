// Looks for a stub that an earlier agent of this invite left running in the chip's RAM. Halts nothing, resets nothing,
// reads mailbox words and DHCSR (docs/protocol.md §11).
import { copyOf, equalBytes } from '../../shared/codec/bytes.ts';
import { MAILBOX_MAGIC, type Layout } from '../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { decodeStubFacts, type StubFacts } from '../../shared/sealed/payloads.ts';
import type { Probe } from '../probe/probe.ts';
import type { KnownStubs } from './stubs.ts';
import { readJobArea } from '../transport/mailbox/job-area.ts';
import { MailboxTransport } from '../transport/mailbox/mailbox-transport.ts';
import { Mailbox } from '../transport/mailbox/mailbox.ts';
import { decodeSave } from '../transport/mailbox/save-words.ts';
import type { FoundStub } from '../transport/port.ts';
import type { SavedDebugState } from './debug-state.ts';

export interface FindStubOptions {
  /** Connected. */
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly stubs: KnownStubs;
  /** 8 bytes that name the invite: a stub of another one is none of ours. */
  readonly inviteTag: Uint8Array;
}

/** A stub found in RAM, with what it says of its chip and what was saved before it. */
export interface StubInRam extends FoundStub {
  readonly transport: MailboxTransport;
  /** What it read of its chip; undefined before it has offered a handshake. */
  readonly facts: StubFacts | undefined;
  readonly saved: SavedDebugState;
}

/** The stub where one for this chip would lie (`layout`). Undefined when there is none that could be gone on with. */
export async function findStub(options: FindStubOptions, layout: Layout): Promise<StubInRam | undefined> {
  const { probe, clock, log, inviteTag, stubs } = options;
  const mailbox = new Mailbox(layout, probe, clock, log);
  if ((await mailbox.readWord('MAGIC')) !== MAILBOX_MAGIC) return undefined;
  const stub = stubs.withHash(await mailbox.read('STUB_HASH'));
  const save = decodeSave(await mailbox.read('SAVE'));
  if (stub?.layout !== layout || save === undefined || !equalBytes(save.inviteTag, inviteTag)) return undefined;
  const transport = new MailboxTransport({ probe, clock, log, stub });
  const state = await transport.state();
  if (state === undefined || !(await transport.isLive())) return undefined;
  const offered = state !== 'boot' && state !== 'waiting' && (await mailbox.readWord('HANDSHAKES')) > 0;
  const facts = offered ? decodeFacts(await mailbox.read('M1')) : undefined;
  return { transport, state, facts, job: offered ? await readJobArea(mailbox) : undefined, saved: save.saved };
}

function decodeFacts(m1: Uint8Array): StubFacts | undefined {
  try {
    return decodeStubFacts(copyOf(m1, 64));
  } catch {
    return undefined;
  }
}
