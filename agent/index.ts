// The customer's side as a library: one job over any probe and any room.
export { runAgentJob, type AgentJobOptions } from './session.ts';
export {
  ShortMemory,
  type AgentMemory,
  type AgentOutcome,
  type Customer,
  type JobProgress,
  type Phase,
} from './ports.ts';
export type { Room } from './conversation.ts';
export { StubRegistry, type KnownStub, type StubFile } from './stubs.ts';
export { consentSheet, type ConsentSheet, type SheetInput } from './consent/sheet.ts';
export { coversPlan, parseExpectedHash } from './consent/answer.ts';
export { examine, type Finding } from './doctor.ts';
export type { Probe, ProbeInfo } from './probe/probe.ts';
