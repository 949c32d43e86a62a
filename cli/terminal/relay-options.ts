// Options of every command that dials a relay.
import type { OptionTable } from '../command.ts';

export const RELAY_OPTIONS = {
  ca: {
    type: 'string',
    describe: 'PEM file of an authority that vouches for the relay, believed beside the usual ones (BLINDFLASH_CA)',
    example: 'company-ca.pem',
  },
} as const satisfies OptionTable;
