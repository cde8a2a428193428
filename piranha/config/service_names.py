"""TCP service names that may stand for a port in lvs.cf.

The originals asked the services database; slim systems have none, and reading it here would make the meaning of a
file depend on the machine. The names are those of the IANA registry and of common /etc/services files.
"""

TCP_PORTS = {
    "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11, "daytime": 13, "netstat": 15, "qotd": 17, "chargen": 19,
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "mail": 25, "smtp": 25, "time": 37, "nameserver": 42,
    "nicname": 43, "whois": 43, "tacacs": 49, "domain": 53, "gopher": 70, "finger": 79, "http": 80, "www": 80,
    "www-http": 80, "kerberos": 88, "kerberos5": 88, "hostname": 101, "iso-tsap": 102, "csnet-ns": 105,
    "pop-2": 109, "pop2": 109, "pop-3": 110, "pop3": 110, "portmapper": 111, "sunrpc": 111, "auth": 113,
    "ident": 113, "sftp": 115, "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap": 143, "imap2": 143, "snmp": 161, "snmptrap": 162, "xdmcp": 177, "bgp": 179,
    "irc": 194, "smux": 199, "qmtp": 209, "z3950": 210, "ipx": 213, "imap3": 220, "rpc2portmap": 369,
    "ldap": 389, "svrloc": 427, "https": 443, "snpp": 444, "microsoft-ds": 445, "kpasswd": 464, "smtps": 465,
    "submissions": 465, "urd": 465, "login": 513, "shell": 514, "printer": 515, "uucp": 540, "klogin": 543,
    "kshell": 544, "dhcpv6-client": 546, "dhcpv6-server": 547, "rtsp": 554, "nntps": 563, "whoami": 565,
    "submission": 587, "ipp": 631, "ldaps": 636, "ldp": 646, "domain-s": 853, "rsync": 873, "ftps-data": 989,
    "ftps": 990, "telnets": 992, "imaps": 993, "ircs": 994, "pop3s": 995, "socks": 1080, "openvpn": 1194,
    "ms-sql-s": 1433, "ms-sql-m": 1434, "oracle": 1521, "datametrics": 1645, "radius": 1812,
    "radius-acct": 1813, "mqtt": 1883, "nfs": 2049, "cvspserver": 2401, "squid": 3128, "icpv2": 3130,
    "iscsi-target": 3260, "mysql": 3306, "ms-wbt-server": 3389, "svn": 3690, "epmd": 4369, "sip": 5060,
    "sip-tls": 5061, "aol": 5190, "jabber-client": 5222, "xmpp-client": 5222, "jabber-server": 5269,
    "xmpp-server": 5269, "cfengine": 5308, "postgres": 5432, "postgresql": 5432, "nrpe": 5666, "nsca": 5667,
    "amqps": 5671, "amqp": 5672, "x11": 6000, "redis": 6379, "ircd": 6667, "ircs-u": 6697, "http-alt": 8080,
    "webcache": 8080, "tproxy": 8081, "mqtts": 8883, "jetdirect": 9100, "bacula-dir": 9101, "bacula-fd": 9102,
    "bacula-sd": 9103, "git": 9418, "webmin": 10000, "zabbix-agent": 10050, "zabbix-trapper": 10051,
    "amanda": 10080, "memcache": 11211, "memcached": 11211,
}  # fmt: skip
"""Name -> port."""
