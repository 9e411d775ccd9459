"""The name of a host in; whether it is this machine alone, its family, or why one of its ports is taken, out."""

from __future__ import annotations

import ipaddress
import socket

from stan.common.errors import reason


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine reach `host`, a name or an address without brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_family(host: str) -> socket.AddressFamily:
    """Return the family of sockets that reach `host`, a name or an address without brackets."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def port_taken(port: int, host: str, error: OSError) -> ValueError:
    """Return what is raised for a port that can't be listened on."""
    return ValueError(
        f"port {port} of {host} cannot be taken ({reason(error)}): choose another, or end what listens there"
    )
