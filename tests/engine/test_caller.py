"""On whose behalf."""

from piranha.engine.caller import Caller


def test_a_caller_is_told_with_all_that_is_known():
    assert str(Caller("admin", "192.0.2.99")) == "admin from 192.0.2.99"
    assert str(Caller("SIGHUP")) == "SIGHUP"
    assert str(Caller()) == "somebody"
