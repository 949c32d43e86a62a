// The command of the operator, who runs the meeting place.
import { command } from '../command.ts';

export const RELAY = command({
  name: 'relay',
  who: 'operator',
  summary: 'serve as the meeting place between agents and controllers',
  options: {
    listen: {
      type: 'string',
      default: '127.0.0.1:8787',
      describe: 'address and port; port 0 takes a free one',
      example: '0.0.0.0:8787',
    },
    name: {
      type: 'string',
      describe: 'the host clients dial; needed unless listening on one address',
      example: 'relay.example.com',
    },
    tenants: { type: 'string', describe: 'JSON file of the vendors to admit; read again on SIGHUP' },
    open: { type: 'boolean', default: false, describe: 'admit every vendor; only on this computer itself' },
    'trust-proxy': {
      type: 'boolean',
      default: false,
      describe: 'behind a reverse proxy: take the client address from X-Forwarded-For',
    },
  },
  examples: [
    ['$0 relay --open', 'a relay for trying things out on this computer'],
    ['$0 relay --listen 0.0.0.0:8787 --name relay.example.com --tenants tenants.json', 'behind a TLS proxy'],
  ],
  load: async () => (await import('./relay.ts')).runRelay,
});
