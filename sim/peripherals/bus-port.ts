// A peripheral's place on the bus: dead while the chip is held in reset, deaf while its clock is off.
import { BusFault, type Device, type Master, type Width } from '../bus.ts';
import { BLOCK_SIZE, type Block } from './address-map.ts';
import type { Context } from './part.ts';

export interface PortNeighbours {
  held(): boolean;
  clocked(block: Block): boolean;
}

/**
 * Wraps `device` at `block`: faults while held in reset; unclocked reads give 0, unclocked writes
 * are lost, with a warning.
 */
export function busPort(context: Context, block: Block, device: Device, near: PortNeighbours): Device {
  const admits = (offset: number): boolean => {
    const address = block.base + offset;
    if (near.held()) throw new BusFault(address, `${block.name} is held in reset`);
    if (near.clocked(block)) return true;
    context.complain(address, `${block.name} was accessed while its clock is off`);
    return false;
  };
  return {
    read: (offset: number, width: Width, master: Master) => (admits(offset) ? device.read(offset, width, master) : 0),
    write: (offset: number, value: number, width: Width, master: Master) => {
      if (admits(offset)) device.write(offset, value, width, master);
    },
    ...(device.plain !== undefined && { plain: device.plain }),
    pure: (offset: number) => offset < (block.size ?? BLOCK_SIZE) && (device.pure?.(offset) ?? false),
  };
}
