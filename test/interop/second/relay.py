"""A relay for one or more tenants: relay.py --tenant HEX [--tenant HEX …]"""

import argparse
import asyncio
import signal

from link import Relay, event


async def main(args) -> None:
    relay = Relay([bytes.fromhex(one) for one in args.tenant], args.name or args.host.strip("[]"))
    port = await relay.start(args.host, args.port)
    event("listening", host=args.host, port=port, name=relay.name)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    await stop.wait()
    await relay.stop()
    event("stopped")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", action="append", required=True, help="an Ed25519 key, 64 digits")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", help="the host that both sides dial; without it, --host")
    asyncio.run(main(parser.parse_args()))
