"""Examples under the help of a command, a line each, so that they can be copied."""


def examples(*lines: str) -> str:
    """Return an epilog for click that is not wrapped."""
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])
