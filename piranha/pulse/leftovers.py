"""Removing the floating addresses of a pulse that is no more."""

import logging

from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.ipvs.addresses import describe, plan
from piranha.paths import Paths
from piranha.pulse import address_store
from piranha.system.addresses import RouterAddresses

log = logging.getLogger("lvs")


def remove_addresses(paths: Paths) -> None:
    """Remove what a pulse of this boot claimed and never gave back. What cannot be removed is logged."""
    try:
        owned = address_store.read(paths)
        if not owned:
            return
        with RouterAddresses() as router:
            steps = plan(router.read(), owned, ()).steps
            for done in router.apply_all(steps):
                if done.sentence:
                    log.error("%s", done.sentence)
                else:
                    log.info("Done: %s", describe(done.step))
            left = owned & {present.held for present in router.read().addresses}
        address_store.write(paths, left)
    except (ConfigUnavailable, PiranhaError) as error:
        log.error("The floating addresses of a dead pulse may be still here: %s", error)
