// `blindflash invite`: an invite for a job that is started later with --invite.
import { VendorTerminal, type VendorArguments } from './vendor-terminal.ts';

export async function runInvite(args: VendorArguments): Promise<void> {
  const terminal = new VendorTerminal(args);
  try {
    await terminal.invite();
  } finally {
    await terminal.close();
  }
}
