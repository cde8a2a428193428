"""What the tests of the lvs.cf language share."""

import pytest


@pytest.fixture(scope="session")
def large_text() -> str:
    """Give an lvs.cf of 200 virtual servers with ten real servers each."""
    services = []
    for number in range(200):
        servers = "".join(
            f"     server s{number}_{place} {{\n         address = 10.{place}.{number}.1\n"
            "         active = 1\n         weight = 1\n     }\n"
            for place in range(10)
        )
        head = f"     active = 1\n     address = 10.99.{number}.1 eth0:{number}\n     port = 80\n"
        services.append(f"virtual v{number} {{\n{head}{servers}}}\n")
    return "serial_no = 1\nprimary = 192.0.2.1\nnetwork = direct\n" + "".join(services)
