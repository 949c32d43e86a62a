// Runs `sim` alone, so that this check needs nothing of the rest: node --import=tsx test/interop/openocd/serve.ts sim …
import yargs from 'yargs';
import { asYargsCommand } from '../../../cli/command.ts';
import { SIM } from '../../../cli/sim/commands.ts';

await yargs(process.argv.slice(2)).command(asYargsCommand(SIM)).demandCommand(1).strict().parseAsync();
