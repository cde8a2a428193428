"""The real servers in force, and whom an Apply must wait for."""

import pytest

from piranha.engine.servers import active_servers, checks_of, in_table, names_of, needed_first
from piranha.health.weight import Weighed
from piranha.ipvs.desired import desired

UP, UNKNOWN = Weighed(1, True, ""), Weighed(None, False, "")


@pytest.fixture
def cluster(cluster_of, block):
    off = block("off", "c=127.0.0.13:80", active=0, port=82)
    return cluster_of(block("web", "a=127.0.0.11:80", "b=b.example:80") + off)


def keys(cluster):
    return {server.name: key for _, server, key in active_servers(cluster)}


def test_only_what_is_active_is_in_force(cluster):
    assert set(keys(cluster)) == {"a", "b"}
    assert set(checks_of(cluster)) == set(keys(cluster).values())
    assert names_of(cluster) == {"b.example"}


def table_with(cluster, **weights):
    names = keys(cluster)
    return desired(cluster, {names[name]: Weighed(weight, True, "") for name, weight in weights.items()}, {}).table


@pytest.mark.parametrize(
    ("present", "known", "needed"),
    [
        ({}, [], set()),
        ({"a": 1}, [], set()),
        ({"a": 0}, [], set()),
        ({"a": 1}, ["a"], set()),
    ],
    ids=["no traffic", "it serves already", "nobody serves", "it is up"],
)
def test_new_servers_are_needed_first_only_where_they_alone_would_serve(cluster, present, known, needed):
    weighed = {key: UP if name in known else UNKNOWN for name, key in keys(cluster).items()}
    table = table_with(cluster, **present)
    found = needed_first(cluster, {}, weighed, table, lambda key: weighed[key].is_known)
    assert {name for name, key in keys(cluster).items() if key in found} == needed


def test_servers_that_replace_all_of_those_that_serve_are_needed_first(cluster, cluster_of, block):
    after = cluster_of(block("web", "new=127.0.0.21:80"))
    weighed = dict.fromkeys(keys(after).values(), UNKNOWN)
    present = table_with(cluster, a=1)
    assert needed_first(after, {}, weighed, present, lambda key: False) == set(keys(after).values())


def test_the_servers_in_a_table_are_those_with_a_place_there(cluster):
    assert in_table(cluster, {}, table_with(cluster, a=0)) == {keys(cluster)["a"]}
    assert in_table(cluster, {}, {}) == frozenset()
