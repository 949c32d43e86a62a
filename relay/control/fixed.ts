// Control that never changes: of an open relay, and of relays in tests.
import type { FindTenant } from '../core/tenants.ts';
import type { Control } from './control.ts';

export function fixedControl(findTenant: FindTenant): Control {
  return { decisions: { findTenant }, onChange: () => {} };
}
