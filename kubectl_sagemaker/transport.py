"""How an API server is reached: connections, TLS, proxies, and what it means when one fails.

urllib3 does the work. As kubectl does it where the two differ.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from kubectl_sagemaker.credentials import Credentials
from kubectl_sagemaker.errors import Dropped, Error, Unavailable
from kubectl_sagemaker.kubeconfig import Access, reason
from kubectl_sagemaker.text import one_line, phrase

if TYPE_CHECKING:
    from urllib3 import PoolManager, Timeout

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

__all__ = ["new_pool", "timeouts", "translated"]

POOL_SIZE: Final = 32
"""Connections kept: more than the eight threads that list in parallel, or the operator's watches and workers."""


def new_pool(access: Access, credentials: Credentials) -> PoolManager:
    """Make the pool of connections (none is opened yet)."""
    import urllib3

    proxy = access.proxy_url or environment_proxy(access.server)
    if access.insecure:
        # It would warn on every request; the user asked for it.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    # retries: urllib3's three turned a timeout of 2 s into 8 s (measured), and followed redirects with the credentials.
    settings: dict[str, Any] = {"maxsize": POOL_SIZE, "retries": False, "socket_options": _keep_alive()}
    if access.server.startswith("https"):
        settings |= {"ssl_context": _tls(access, credentials), "server_hostname": access.tls_server_name}
    if not proxy:
        return urllib3.PoolManager(**settings)
    if proxy.lower().startswith("socks5"):
        from urllib3.contrib.socks import SOCKSProxyManager

        # To Go, socks5 is socks5h: the proxy, which may stand in another network, looks the name up.
        return SOCKSProxyManager(f"socks5h://{proxy.partition('://')[2]}", **settings)
    return urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), **settings)


def timeouts(seconds: float | tuple[float, float]) -> Timeout:
    """urllib3's: of connection and answer together, or of each wait."""
    from urllib3 import Timeout

    if isinstance(seconds, tuple):
        return Timeout(connect=seconds[0], read=seconds[1])
    return Timeout(total=seconds)


def _keep_alive() -> list[tuple[int, int, int]]:
    """Options of a connection, that a dead one is noticed as kubectl notices it (client-go and Go: 30 s, 9 times 15 s).

    Systems differ in what they have of it: macOS has another name for the first.
    """
    from urllib3.connection import HTTPConnection

    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in ((idle, 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 9)):
        if option := getattr(socket, name, None):
            options.append((socket.IPPROTO_TCP, option, value))
    return options


def _tls(access: Access, credentials: Credentials) -> ssl.SSLContext:
    """Build the TLS settings."""
    try:
        context = ssl.create_default_context(cadata=access.authority)
    except ssl.SSLError:
        raise Error("the certificate authority holds no valid certificate") from None
    if access.authority is None and (bundle := _system_authorities(ssl.get_default_verify_paths())):
        context.load_verify_locations(bundle)
    # As Go verifies: any certificate of the authority's is trusted, and what Python 3.13 asks of an authority
    # beyond that (a key identifier, which clusters' own authorities lack) is not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate is not None and credentials.key is not None:
        with _as_file(credentials.certificate) as certificate, _as_file(credentials.key) as key:
            try:
                # A passphrase would be asked for on the terminal; an empty one is wrong, and said to be.
                context.load_cert_chain(certificate, key, password="")
            except (ssl.SSLError, ValueError):
                raise Error(
                    "the client certificate and its key are no pair of PEM texts, or the key has a passphrase"
                ) from None
    return context


BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the authorities that they trust: Debian, Fedora, SUSE, RHEL, Alpine, macOS, as Go knows them."""


def _system_authorities(paths: ssl.DefaultVerifyPaths, bundles: Iterable[str] = BUNDLES) -> str | None:
    """The system's file of authorities, where OpenSSL knows of none; None where it does.

    It looks where it was told when it was built, which in an archive was another machine. Windows is asked by Python.
    """
    if paths.cafile or paths.capath or os.name == "nt":
        return None
    if os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env):
        return None
    return next(filter(os.path.isfile, bundles), None)


@contextlib.contextmanager
def _as_file(pem: Path | bytes) -> Iterator[Path]:
    """Give a PEM text a file for as long as OpenSSL reads it, in a folder that nobody else can enter."""
    if isinstance(pem, Path):
        yield pem
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pem")
        file.write_bytes(pem)
        yield file


def _proxy_headers(proxy: str) -> dict[str, str] | None:
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    import urllib3

    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=secret))


def environment_proxy(server: str) -> str | None:
    """Find the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY mean for a server, as Go does: never for loopback."""
    parts = urlsplit(server)
    proxy = _environment(f"{parts.scheme}_proxy")
    if not proxy:
        return None
    host = parts.hostname or ""
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if _is_direct(host, address, port, _environment("no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_direct(host: str, address: Address | None, port: int, no_proxy: str) -> bool:
    """Tell whether NO_PROXY names a host.

    By Go's rules (golang.org/x/net/http/httpproxy): addresses and ranges of them, a domain for itself and all below it,
    one that begins with a dot or `*.` for those below it alone, each with a port or without; `*` alone is everything.
    """
    for word in no_proxy.lower().split(","):
        entry = word.strip()
        if entry == "*":
            return True
        with contextlib.suppress(ValueError):
            if "/" in entry and address and address in ipaddress.ip_network(entry, strict=False):
                return True
        name, colon, number = entry.rpartition(":")
        if colon and (":" not in name or (name.startswith("[") and name.endswith("]"))):
            if number not in {"", str(port)}:
                continue
            entry = name.strip("[]")
        if entry.startswith("*."):
            entry = entry[1:]
        below = entry if entry.startswith(".") else f".{entry}"
        if listed := _address(entry):
            if listed == address:
                return True
        elif entry and (host == entry or host.endswith(below)):
            return True
    return False


def _address(host: str) -> Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


def _environment(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


@contextlib.contextmanager
def translated(access: Access, what: str = "", limit: float | None = None) -> Iterator[None]:
    """Turn whatever urllib3, ssl and the system raise into an error of ours.

    No branch repeats the lower library's text as a whole: it can hold a header, and so a token.
    """
    import http.client

    import urllib3

    try:
        yield
    except Error:
        raise
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise translate(error, access, what, limit) from None


DROPS: Final = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
"""What Python raises where the other side ends a connection; http.client's RemoteDisconnected is one of the first."""


def translate(error: Exception, access: Access, what: str, limit: float | None) -> Error:
    """Say what an exception of the libraries' means; `what` is the request, `limit` its seconds."""
    from urllib3 import exceptions

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = one_line(getattr(cause, "verify_message", "it cannot be verified")).rstrip(".").lower()
            return Error(
                f"the certificate of {access.host} is not valid: {detail}",
                hint="see --certificate-authority, --tls-server-name and --insecure-skip-tls-verify",
            )
    # PySocks, which has no types, is imported only where a proxy needs it; urllib3 takes its failures for the server's.
    socks = [cause for cause in causes if type(cause).__module__ == "socks"]
    if socks and getattr(socks[-1], "socket_err", None) is None:
        return _by_socks(socks[-1], access)
    proxied = bool(socks) or any(isinstance(cause, exceptions.ProxyError) for cause in causes)
    where = f"the proxy of {access.host}" if proxied else access.host
    unusable = Dropped if any(isinstance(cause, DROPS) for cause in causes) else Unavailable
    why = next((reason(cause) for cause in reversed(causes) if isinstance(cause, OSError) and cause.args), None)
    for cause in causes:
        match cause:
            case exceptions.ProxySchemeUnknown():  # a LocationValueError by birth
                return Error(f"the proxy of {access.host} has no URL that can be connected to")
            case exceptions.LocationValueError():
                return Error(f"{where} has no URL that can be connected to")
            case exceptions.NewConnectionError():  # a ConnectTimeoutError by birth
                return unusable(f"cannot reach {where}: {why or 'no connection'}")
            case exceptions.TimeoutError() | TimeoutError():
                return _too_slow(where, what, limit)
            case exceptions.SSLError() | ssl.SSLError():
                library_reason = getattr(cause, "reason", None) or why or "handshake failed"
                return unusable(f"no TLS connection to {where}: {_words(str(library_reason))}")
            case exceptions.DecodeError():
                return Unavailable(f"{access.host} answered {what} with a damaged body")
            case _:
                pass
    if why:
        return unusable(f"the connection to {where} failed: {why}")
    return unusable(f"the connection to {where} failed{f' at {what}' if what else ''}: {_words(type(error).__name__)}")


def _by_socks(cause: BaseException, access: Access) -> Unavailable:
    """What a SOCKS proxy's own word means, and what is no such word."""
    said = one_line(getattr(cause, "msg", ""))
    if type(cause).__name__ == "SOCKS5Error":  # its answer: `0x05: Connection refused`
        return Unavailable(f"the proxy of {access.host} cannot reach it: {said.rpartition(': ')[2].lower()}")
    return Unavailable(f"the proxy of {access.host} failed: {phrase(said)}")


def _too_slow(where: str, what: str, limit: float | None) -> Unavailable:
    seconds = f" within {limit:g} s" if limit else ""
    return Unavailable(
        f"{where} did not answer {what}{seconds}", hint="allow it more time with --request-timeout" if limit else None
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to the ones that it was made of, each once: MaxRetryError's reason, a raise's cause."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        held = (getattr(current, "reason", None), getattr(current, "original_error", None), *current.args)
        waiting += [
            cause for cause in (*held, current.__cause__, current.__context__) if isinstance(cause, BaseException)
        ]


def _words(name: str) -> str:
    """`ProtocolError` and `WRONG_VERSION_NUMBER` as people write them."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name) if not name.isupper() else name
    return one_line(spaced.replace("_", " ")).lower()
