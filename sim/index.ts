// What tests, benches and the demo take from the simulator.
export { Board } from './board.ts';
export type { BoardOptions, BoardSnapshot } from './board.ts';
export { EventQueue } from './event-queue.ts';
export { IDENTITIES } from './stlink/identity.ts';
export type { IdentityName, ProbeIdentity } from './stlink/identity.ts';
export { VirtualStlink } from './stlink/virtual-stlink.ts';
export type { ExchangeRecord, VirtualStlinkOptions } from './stlink/virtual-stlink.ts';
export type { SwdRecord } from './stlink/swd-wire.ts';
export type { FirmwareSwitches, ProbedBoard } from './stlink/firmware.ts';
export type { CostModel } from './stlink/cost.ts';
export { VirtualUsbDevice } from './stlink/virtual-usb.ts';
export type { VirtualUsbOptions } from './stlink/virtual-usb.ts';
export { WallDriver } from './edge/wall-driver.ts';
export { serverState } from './stlink/server-session.ts';
export { listenStlinkServer } from './stlink/tcp-server.ts';
export type { StlinkTcpServer } from './stlink/tcp-server.ts';
