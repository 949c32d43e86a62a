// Every command of the binary, in the order of its help. A new one is a declaration in the folder of whoever runs it,
// and a line here.
import type { CommandDeclaration } from './command.ts';
import { AGENT, DOCTOR, INSPECT, PROBES, UPDATE } from './customer/commands.ts';
import { DEMO } from './demo/commands.ts';
import { RELAY } from './relay/commands.ts';
import { SIM } from './sim/commands.ts';
import { ENROLL, KEYS, PLANT } from './vendor/device-job-commands.ts';
import { DEVICES } from './vendor/devices-commands.ts';
import { LOADER } from './vendor/loader-commands.ts';
import {
  ERASE,
  FLASH,
  INFO,
  INVITE,
  KEYGEN,
  OPTIONS,
  PACKAGE,
  PLAN,
  RECEIPT,
  RESET,
  UNLOCK,
  VERIFY,
} from './vendor/commands.ts';

export const COMMANDS: readonly CommandDeclaration[] = [
  DEMO,
  AGENT,
  DOCTOR,
  PROBES,
  INSPECT,
  UPDATE,
  FLASH,
  PLANT,
  ENROLL,
  KEYS,
  VERIFY,
  ERASE,
  INFO,
  RESET,
  UNLOCK,
  OPTIONS,
  PLAN,
  PACKAGE,
  INVITE,
  KEYGEN,
  RECEIPT,
  DEVICES,
  LOADER,
  RELAY,
  SIM,
];
