"""What a user of the kubeconfig proves itself with now: a header, a client certificate, from a file or a plugin.

Plugins are run here: the official Python client logs a plugin's failure and goes on anonymously, runs it in another
folder than kubectl does, takes no certificate beside a token, and leaves a certificate's key in a file (measured,
37.0.1). The rules are those of kubernetes.io/docs/reference/config-api/client-authentication.v1.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kubectl_sagemaker import eks
from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.kubeconfig import ExecPlugin, User, read_file, reason
from kubectl_sagemaker.text import CONTROL, one_line

COMMAND: Final = "the token of aws eks get-token comes from the command"
TOKEN_FILE_LIFE: Final = timedelta(minutes=1)
"""A token file is read again after this time: a pod's is replaced while the pod runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What goes into each request, and into each TLS handshake."""

    authorization: str | None = field(default=None, repr=False)
    """The header's value."""
    certificate: Path | bytes | None = None
    """A client certificate: its file, or its PEM text."""
    key: Path | bytes | None = field(default=None, repr=False)
    expires: datetime | None = None
    renewable: bool = False
    """Whether obtaining them again may give others."""
    stand_in: bool = False
    """Whether the plugin that they come from was not run: if they are refused, for whatever reason, it is to be."""


def obtain(user: User, *, stand_in: bool = False, debug: Callable[[str], None] | None = None) -> Credentials:
    """Read the token file or run the plugin, where the user has one. Raise Error with what went wrong there.

    With `stand_in`, a token of EKS is made in this process where that can be done. `debug` is told which way is taken.
    """
    if user.plugin:
        if eks.is_meant(user.plugin):
            if stand_in and (made := _made_here(user.plugin, debug)):
                return made
            if debug and not stand_in:
                debug(f"{COMMAND}: the one before expired or was refused")
        return _run(user.plugin, user.name)
    authorization = expires = None
    if user.token_file:
        token = read_file(user.token_file, "token file").strip()
        authorization = _bearer(token.decode("utf-8", "replace"), f"token file {user.token_file}")
        expires = datetime.now(UTC) + TOKEN_FILE_LIFE
    elif user.token:
        authorization = _bearer(user.token, "the token")
    elif user.password:
        authorization = "Basic " + base64.b64encode(":".join(user.password).encode()).decode()
    return Credentials(
        authorization=authorization,
        certificate=user.certificate,
        key=user.key,
        expires=expires,
        renewable=user.token_file is not None,
    )


def _bearer(token: str, what: str) -> str:
    # Checked here, because http.client's own error repeats the header.
    if not token or not token.isascii() or CONTROL.search(token):
        raise Error(f"{what} is empty, or has characters that no token has")
    return f"Bearer {token}"


def _made_here(plugin: ExecPlugin, debug: Callable[[str], None] | None) -> Credentials | None:
    """Make the token of `aws eks get-token`; None if the command is to be run."""
    expires = datetime.now(UTC) + eks.LIFE
    try:
        token = eks.token(plugin)
    except Exception as error:  # noqa: BLE001  # whatever it is, the command says it better
        if debug:
            # No library's text: it can hold what a credential_process printed.
            why = error if isinstance(error, eks.Unusual) else f"{type(error).__name__} while making it here"
            debug(f"{COMMAND}: {why}")
        return None
    if debug:
        debug("the token of aws eks get-token is made here")
    return Credentials(authorization=f"Bearer {token}", expires=expires, renewable=True, stand_in=True)


def _run(plugin: ExecPlugin, user: str) -> Credentials:
    name = f"exec plugin {one_line(os.path.basename(plugin.command))} of user {one_line(user)!r}"
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive == "Always" and not terminal:
        raise Error(f"{name} needs a terminal, and standard input is none")
    interactive = terminal and plugin.interactive != "Never"
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    request = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}
    # On Windows only which() finds the .cmd and .bat that many of these plugins are.
    command = shutil.which(plugin.command)
    if command is None:
        raise Error(
            f"{name} is not installed: no {one_line(plugin.command)!r} in PATH",
            hint=one_line(plugin.install_hint) if plugin.install_hint else None,
        )
    try:
        done = subprocess.run(
            [command, *plugin.arguments],
            env={**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": json.dumps(request)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # A plugin that talks to a person does so on stderr.
            stderr=None if interactive else subprocess.PIPE,
            check=False,
        )
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "its arguments or env hold a null character"
        raise Error(f"{name} cannot be run: {why}") from None
    if done.returncode != 0:
        raise Error(
            f"{name} failed with exit code {done.returncode}{_last_line(done.stderr)}",
            hint=one_line(plugin.install_hint) if plugin.install_hint else None,
        )
    return _read(done.stdout, plugin, name)


def _last_line(stderr: bytes | None) -> str:
    lines = [line for line in (stderr or b"").decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {one_line(lines[-1])[:500]}" if lines else ""


def _read(stdout: bytes, plugin: ExecPlugin, name: str) -> Credentials:
    """Read an ExecCredential. No message repeats what the plugin printed: it may be a token."""
    try:
        answer = json.loads(stdout)
    except ValueError:
        raise Error(f"{name} printed no JSON") from None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise Error(f"{name} printed no ExecCredential")
    if answer.get("apiVersion") != plugin.version:
        raise Error(
            f"{name} answered in apiVersion {one_line(str(answer.get('apiVersion')))}, "
            f"the kubeconfig asks for {plugin.version}",
            hint="renew the kubeconfig, or the plugin",
        )
    status = answer.get("status")
    if not isinstance(status, dict):
        raise Error(f"{name} gave no credentials: it printed no status")
    token, certificate, key, expiry = (
        status.get(field) for field in ("token", "clientCertificateData", "clientKeyData", "expirationTimestamp")
    )
    if not all(value is None or isinstance(value, str) for value in (token, certificate, key, expiry)):
        raise Error(f"{name} printed a status with a field that is no string")
    if bool(certificate) != bool(key):
        raise Error(f"{name} gave only one of certificate and key")
    if not token and not certificate:
        raise Error(f"{name} gave neither a token nor a certificate")
    return Credentials(
        authorization=_bearer(token, f"the token from {name}") if token else None,
        certificate=certificate.encode() if certificate else None,
        key=key.encode() if key else None,
        expires=_moment(expiry, name) if expiry else None,
        renewable=True,
    )


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Error(f"{name} gave an expirationTimestamp that is no RFC 3339 time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
