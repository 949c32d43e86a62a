// Runs `sim` alone, so that this check needs nothing of the rest: node --import=tsx test/native/openocd/serve.ts sim …
import yargs from 'yargs';
import { simCommand } from '../../../sim/commands/sim.ts';

await yargs(process.argv.slice(2)).command(simCommand).demandCommand(1).strict().parseAsync();
