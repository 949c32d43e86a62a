// Port: what the operator has decided, as far as a relay follows it: today the tenants it admits.
// docs/architecture.md, "Ports".
import type { FindTenant } from '../core/tenants.ts';

/** What holds at one time; taken over as a whole or not at all. */
export interface Decisions {
  readonly findTenant: FindTenant;
}

export interface Control {
  /** What holds now. */
  readonly decisions: Decisions;
  /** Called after `decisions` has become another one; links of tenants that are no longer known are then closed. */
  onChange: () => void;
}
