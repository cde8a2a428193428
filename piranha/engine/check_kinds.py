"""The checks of a cluster with those that piranha.toml names instead of lvs.cf's."""

from collections.abc import Mapping

from piranha.config.check_kinds import CheckKind, name_of
from piranha.config.model import Cluster, RealServerKey
from piranha.engine.servers import active_servers
from piranha.health.check import Check
from piranha.health.kinds import Authorities, of_kind


def with_kinds(
    cluster: Cluster,
    checks: Mapping[RealServerKey, Check],
    kinds: Mapping[str, CheckKind],
    authorities: Mapping[str, Authorities],
) -> dict[RealServerKey, Check]:
    """Return the checks of a cluster, each of the kind that its virtual server has. `kinds`: by `name_of`.

    A server that lvs.cf gives no check gets none here.
    """
    found = dict(checks)
    if not kinds:
        return found
    seen, names = set[RealServerKey](), dict[str, str]()
    for virtual, _, key in active_servers(cluster):
        if key in checks and key not in seen:  # of two that are one, the first counts
            seen.add(key)
            if virtual.id not in names:
                names[virtual.id] = name_of(virtual)
            found[key] = of_kind(checks[key], kinds.get(names[virtual.id]), authorities)
    return found
