// The customer's side as a library: one job over any probe and any room.
export { runAgentJob, type AgentJobOptions } from './session/agent-session.ts';
export { ShortMemory, type AgentMemory, type AgentOutcome, type Customer, type JobProgress } from './session/ports.ts';
export type { ChipPhase as Phase } from './transport/port.ts';
export type { RoomPort as Room } from './session/tunnel-event-queue.ts';
export { StubRegistry, type KnownStub, type StubFile } from './target/stubs.ts';
export { consentSheet, type ConsentSheet, type SheetInput } from './consent/sheet.ts';
export { coversPlan, parseAgreed, type Agreed } from './consent/answer.ts';
export { examine, type Finding } from './target/doctor.ts';
export type { Probe, ProbeInfo } from './probe/probe.ts';
