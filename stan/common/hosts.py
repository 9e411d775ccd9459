"""The name of a host in; whether it is this machine alone, or why one of its ports can't be had, out."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine reach `host`, a name or an address without brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port_taken(port: int, host: str, error: OSError) -> ValueError:
    """Return what is raised for a port that can't be listened on."""
    return ValueError(
        f"port {port} of {host} cannot be taken ({error.strerror}): choose another, or end what listens there"
    )
