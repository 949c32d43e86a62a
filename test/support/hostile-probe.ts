// A probe in the hands of somebody else: between an honest agent and the board, everything it is told and asked can be changed.
import type { Probe } from '../../agent/probe/probe.ts';
import type { StlinkDriver } from '../../agent/probe/stlink/driver.ts';
import type { World } from './world.ts';

export interface ProbeHooks {
  /** What is really written. */
  readonly write?: (address: number, bytes: Uint8Array, inner: Probe) => Uint8Array | Promise<Uint8Array>;
  /** What a word is said to be. */
  readonly word?: (address: number, value: number, inner: Probe) => number | Promise<number>;
}

/** Puts the hooks between the agents of this world and its board. */
export function takeProbe(world: World, hooks: ProbeHooks): void {
  const original = world.probe.bind(world);
  world.probe = () => hooked(original(), hooks);
}

function hooked(inner: StlinkDriver, { write, word }: ProbeHooks): StlinkDriver {
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'writeMemory' && write !== undefined)
        return async (address: number, bytes: Uint8Array, width?: 8 | 16 | 32) =>
          target.writeMemory(address, await write(address, bytes.slice(), target), width);
      if (name === 'readWord' && word !== undefined)
        return async (address: number) => word(address, await target.readWord(address), target);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
