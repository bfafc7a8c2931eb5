"""kubectl's connection flags, as given: apart from kube.py, so that `--help` imports nothing that reads them."""

from __future__ import annotations

from typing import NamedTuple


class Connection(NamedTuple):
    """The flags; None or () stands for one that was not given."""

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None
    server: str | None = None
    token: str | None = None
    certificate_authority: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool | None = None
    proxy_url: str | None = None
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    as_uid: str | None = None
    as_user_extra: tuple[str, ...] = ()
    """Each `key=value`; a key can come several times."""
    request_timeout: float | None = None
    """Seconds for one request, from its first byte to the answer's last; None or 0: no limit of ours."""
    disable_compression: bool | None = None

    def __repr__(self) -> str:
        """Without the token, and without URLs, which can hold a password."""
        return f"Connection(context={self.context!r}, namespace={self.namespace!r})"
