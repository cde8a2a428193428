"""The headers that keep an answer to itself; every answer carries them, whoever made it (reference 8, fault 22)."""

SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STRICT_TRANSPORT_S = 365 * 24 * 3600
"""How long a browser that came by TLS never tries this host without, seconds."""


def security_headers(*, is_secure: bool, may_be_stored: bool = False) -> dict[str, str]:
    """Return the headers. `is_secure`: it came by TLS. `may_be_stored`: it is the same for everybody, as styles are."""
    headers = {
        "Content-Security-Policy": SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not may_be_stored:
        headers["Cache-Control"] = "no-store"
    if is_secure:
        headers["Strict-Transport-Security"] = f"max-age={STRICT_TRANSPORT_S}"
    return headers
