"""The topologies of the lab: a client behind an upstream router, two LVS routers, four real servers."""

_NETS = """
net public   192.0.2    2001:db8:1
net dmz      198.51.100 2001:db8:2
net private  10.0.0     fd00:3
host client    public.10               via public.1
host upstream  public.1 dmz.1          forwards
host lvs1      dmz.11 private.11       via dmz.1  forwards
host lvs2      dmz.12 private.12       via dmz.1  forwards
"""

# The real servers' way out is the NAT router's floating address, which an active router must have.
NAT = f"""{_NETS}
host rs1  private.21  via private.254
host rs2  private.22  via private.254
host rs3  private.23  via private.254
host rs4  private.24  via private.254
"""

# Direct routing and tunneling: a leg in the dmz too; the real servers answer the client themselves.
DIRECT = f"""{_NETS}
host rs1  dmz.21 private.21  via dmz.1
host rs2  dmz.22 private.22  via dmz.1
host rs3  dmz.23 private.23  via dmz.1
host rs4  dmz.24 private.24  via dmz.1
"""

# The routers are the real servers.
LOCAL = _NETS
