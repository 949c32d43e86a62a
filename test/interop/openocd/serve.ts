// Runs `sim` alone, so that this check needs nothing of the rest: node --import=tsx test/interop/openocd/serve.ts sim …
import yargs from 'yargs';
import { simCommand } from '../../../cli/sim/sim.ts';

await yargs(process.argv.slice(2)).command(simCommand).demandCommand(1).strict().parseAsync();
