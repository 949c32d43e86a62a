// The vendor's commands, in the order the help lists them.
import type { CommandModule } from 'yargs';
import { eraseCommand } from './erase.ts';
import { flashCommand } from './flash.ts';
import { inviteCommand } from './invite.ts';
import { keygenCommand } from './keygen.ts';
import { infoCommand, resetCommand } from './look.ts';
import { planCommand } from './plan.ts';
import { receiptCommand } from './receipt.ts';
import { verifyCommand } from './verify.ts';

const COMMANDS = {
  keygen: keygenCommand,
  plan: planCommand,
  flash: flashCommand,
  verify: verifyCommand,
  erase: eraseCommand,
  info: infoCommand,
  reset: resetCommand,
  invite: inviteCommand,
  receipt: receiptCommand,
} as const;

/** Ready for yargs. */
export const controllerCommands = Object.values(COMMANDS) as unknown as readonly CommandModule[];
