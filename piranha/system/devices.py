"""Network devices by their number: a device that was removed and made anew has its old name and another number."""

import socket


def device_number(name: str) -> int:
    """Return the kernel's number of the network device with this name, 0 where there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0
