"""What the kernel's error numbers mean for the step that was refused: the reason and the cure, in one sentence or two.

Source of the meanings: what a 6.1 kernel answers (tests/lab/test_kernel_ipvs.py provokes them), and errno(3).
"""

import errno

from piranha.config.model import Forwarding
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    EditDestination,
    EditService,
    RemoveDestination,
    RemoveService,
    Step,
    TableKey,
)

NO_RIGHT = (
    "The kernel does not let this process change IPVS. Run pulse as root, or give it the capability CAP_NET_ADMIN."
)
NO_MEMORY = "The kernel has no memory left for it; it is tried again. Free memory on this router."
NO_ANSWER = "The kernel did not answer; the table is compared again. See the kernel's log (dmesg) if that stays so."


def sentence(step: Step, code: int, why: str = "") -> str:
    """Return what an administrator reads of a refused step. `why`: what was found out about the scheduler's module."""
    return f"{_what(step)} was refused: {_reason(step, code, why)}"


def general(code: int) -> str:
    """Return the reason where it is the same for all orders, or the bare error."""
    match code:
        case errno.EPERM | errno.EACCES:
            return NO_RIGHT
        case errno.ENOMEM | errno.ENOBUFS:
            return NO_MEMORY
        case errno.ETIMEDOUT:
            return NO_ANSWER
        case _:
            name = errno.errorcode.get(code, f"error {code}")
            return f"the kernel says {name}; it is tried again. See the kernel's log (dmesg)."


def has_left(key: TableKey, left: list[str]) -> str:
    """Return why a service is not removed that has destinations still."""
    shown = ", ".join(left[:4]) + (f" and {len(left) - 4} more" if len(left) > 4 else "")
    return (
        f"Virtual server {key.words} was not removed: it still has {shown}, which would go with it. "
        "What somebody else added, remove with ipvsadm -d."
    )


def _what(step: Step) -> str:
    match step:
        case AddService(key, _):
            return f"Virtual server {key.words}"
        case EditService(key, _):
            return f"The change of virtual server {key.words}"
        case RemoveService(key):
            return f"The removal of virtual server {key.words}"
        case AddDestination(key, destination_key, _):
            return f"Real server {destination_key} for {key.words}"
        case EditDestination(key, destination_key, _):
            return f"The change of real server {destination_key} of {key.words}"
        case RemoveDestination(key, destination_key, _):
            return f"The removal of real server {destination_key} from {key.words}"


def _reason(step: Step, code: int, why: str) -> str:
    match code, step:
        case errno.EEXIST, AddService():
            return "the kernel has it already, somebody else added it meanwhile. The table is compared again."
        case errno.EEXIST, _:
            return "the kernel has that real server already, somebody else added it meanwhile. It is compared again."
        case errno.ESRCH, _:
            return "the kernel does not have that virtual server. The table is compared again."
        case errno.ENOENT, AddService() | EditService():
            name = step.service.scheduler
            cure = (
                f"Run modprobe ip_vs_{name} as root, install the kernel's modules, or c" if name.isidentifier() else "C"
            )
            return f"this kernel has no scheduler {name}. {why + ' ' if why else ''}{cure}hoose another scheduler."
        case errno.ENOENT, _:
            return "the kernel does not have that real server. The table is compared again."
        case errno.ERANGE, AddDestination() | EditDestination():
            return f"the kernel takes no weight of {step.destination.weight}. Give it one from 0 to 65535."
        case errno.EAFNOSUPPORT | errno.EPROTONOSUPPORT, _:
            return "this kernel's IPVS cannot do IPv6. Use IPv4 addresses, or a kernel with CONFIG_IP_VS_IPV6."
        case errno.EINVAL, AddDestination() | EditDestination():
            return _why_invalid(step, step.key.version)
        case errno.EINVAL, AddService() | EditService():
            return (
                f"the kernel does not take these values (scheduler {step.service.scheduler}, "
                f"persistence {step.service.persistent_s} s for each /{step.service.persistence_prefix}). Check them."
            )
        case _:
            return general(code)


def _why_invalid(step: AddDestination | EditDestination, version: int) -> str:
    if step.destination_key.address.version != version:
        if step.destination.forwarding is not Forwarding.TUNNEL:
            return (
                f"it has no IPv{version} address as the virtual server has, and only tunneling can change that. "
                f"Give the real server an IPv{version} address."
            )
        return (
            f"it has no IPv{version} address as the virtual server has, and connection sync cannot tell the partner "
            "of such connections. Switch connection sync off, or give it an address of the same kind."
        )
    return (
        "the kernel takes an address for a real server only if it is one host's: no broadcast, no multicast, "
        "and no link-local IPv6 address. Check the address."
    )
