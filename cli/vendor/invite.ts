// `blindflash invite`: an invite for a job that is started later with --invite.
import type { CommandModule } from 'yargs';
import { VendorTerminal, type VendorArguments } from './vendor-terminal.ts';
import { roomFlags } from './options.ts';

export const inviteCommand: CommandModule<object, VendorArguments> = {
  command: 'invite',
  describe: 'make an invite for a job started later (vendor)',
  builder: (yargs) =>
    roomFlags(yargs).example(
      '$0 invite --relay wss://relay.example.com --invite-out i.txt',
      'then: flash … --invite i.txt',
    ),
  handler: async (args) => {
    const desk = new VendorTerminal(args);
    try {
      await desk.invite();
    } finally {
      desk.close();
    }
  },
};
