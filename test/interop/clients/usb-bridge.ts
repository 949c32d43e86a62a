// The bridge that shows the virtual probe to libusb, as a process of its own (bridge/bridge.c).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface UsbBridge {
  /** Environment in which a program sees the probe on its USB. */
  readonly env: NodeJS.ProcessEnv;
  /** Puts the cable in. */
  plug(): Promise<void>;
  /** Pulls the cable; the probe loses its supply, the board keeps its own. */
  unplug(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts `program` (the built bridge) on the simulator's USB socket, cable in.
 * @throws Error when it does not come up
 */
export async function startBridge(program: string, socket: string): Promise<UsbBridge> {
  const child = spawn('umockdev-wrapper', [program, socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the USB bridge has ended');
    return value;
  };
  const [folder, preload] = (await next()).split(' ');
  const order = async (line: string): Promise<void> => {
    child.stdin.write(`${line}\n`);
    if ((await next()) !== `${line} done`) throw new Error(`the USB bridge refused to ${line}`);
  };
  return {
    env: { ...process.env, UMOCKDEV_DIR: folder, LD_PRELOAD: preload },
    plug: () => order('plug'),
    unplug: () => order('unplug'),
    stop: () => {
      child.stdin.end();
      return ended;
    },
  };
}
