"""kubectl's configuration, from its files and flags, as plain values.

The files are read here, not by the official Python client, whose loader takes the last current-context of several
files, resolves no relative path of a merged one, keeps the file's token and server whatever the flags say, and logs a
failed exec plugin only to go on anonymously (measured, 37.0.1). The rules are client-go's, compared with kubectl 1.37
by tests/contract/test_connection.py. Where kubectl drops a flag silently, the flag has its effect here.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import Error, Usage
from kubectl_sagemaker.text import CONTROL, one_line

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds its own token, ca.crt and namespace."""
PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")
EXEC_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
EXEC_EXTENSION: Final = "client.authentication.k8s.io/exec"
"""Name of the cluster's extension that is handed to a plugin as its `config`."""
DEEPEST: Final = 100
"""Levels of a kubeconfig: ours need seven, an extension may hold whatever its writer likes."""


class Impersonation(NamedTuple):
    """Whom to act as; the caller needs the right to impersonate each part."""

    user: str
    uid: str | None
    groups: tuple[str, ...]
    extra: tuple[tuple[str, str], ...]


class ExecPlugin(NamedTuple):
    """A command that prints credentials."""

    command: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    version: str
    interactive: str
    """Never, IfAvailable or Always."""
    install_hint: str | None
    cluster: Mapping[str, Any] | None
    """`spec.cluster` of the ExecCredential that it is given, where it asked for it."""

    def __repr__(self) -> str:
        """Without arguments and environment, which can hold secrets."""
        return f"ExecPlugin({self.command!r})"


class User(NamedTuple):
    """As whom to connect. `name` is the kubeconfig's, or what stands for it in a message."""

    name: str
    token: str | None = None
    token_file: Path | None = None
    password: tuple[str, str] | None = None
    """User name and password, for HTTP's basic authentication."""
    certificate: Path | bytes | None = None
    """A client certificate: its file, or its PEM text."""
    key: Path | bytes | None = None
    plugin: ExecPlugin | None = None
    impersonation: Impersonation | None = None

    def __repr__(self) -> str:
        """Without what it proves itself with."""
        return f"User({self.name!r})"


class Access(NamedTuple):
    """Where the API server is, and as whom to ask it."""

    server: str
    """URL without a trailing slash."""
    namespace: str
    user: User
    authority: str | None = None
    """PEM text that the server's certificate is verified with; None: what the system trusts."""
    insecure: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    """Of the flags or the file; None: what the environment says."""
    compression: bool = True

    def __repr__(self) -> str:
        """Without URLs, which can hold a password."""
        return f"Access({self.host!r}, {self.user!r})"

    @property
    def host(self) -> str:
        """`HOST:PORT`, for messages: a URL can hold a password."""
        parts = urlsplit(self.server)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return one_line(f"{name}:{parts.port}" if parts.port else f"{name}")


class Entry(NamedTuple):
    """A named cluster, user or context, with the file that it stands in."""

    name: str
    body: Mapping[str, Any]
    file: Path
    what: str
    """cluster, user or context."""

    def text(self, key: str) -> str | None:
        """A string of the entry; None for what is missing or empty."""
        value = self.body.get(key)
        if value is None or isinstance(value, str):
            return value or None
        # The value may be a token that YAML takes for a number: it is not repeated here.
        raise Error(f"{key} of {self.what} {self.name!r} in {self.file} is no string", hint="put it in quotes")

    def flag(self, key: str) -> bool:
        """A boolean of the entry; False for what is missing."""
        value = self.body.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise Error(f"{key} of {self.what} {self.name!r} in {self.file} is neither true nor false")

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self.body.get(key) or []
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise Error(f"{key} of {self.what} {self.name!r} in {self.file} is no list of strings")

    def part(self, key: str) -> Entry | None:
        """A mapping inside of the entry."""
        value = self.body.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return Entry(self.name, value, self.file, self.what)
        raise Error(f"{key} of {self.what} {self.name!r} in {self.file} is no mapping")

    def path(self, key: str) -> Path | None:
        """A path, relative to the file that holds it."""
        value = self.text(key)
        return self.file.absolute().parent / value if value else None

    def data(self, key: str) -> bytes | None:
        """Base64, decoded."""
        value = self.text(key)
        if value is None:
            return None
        try:
            return base64.b64decode(value)
        except (binascii.Error, ValueError):
            raise Error(f"{key} of {self.what} {self.name!r} in {self.file} is no base64") from None


class Kubeconfig(NamedTuple):
    """All files as one: of each name the first definition holds, and the first current-context."""

    files: tuple[Path, ...]
    """Where it was looked for, present or not."""
    current_context: str | None
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]
    contexts: Mapping[str, Entry]


def load(connection: Connection, *, service_account: Path = SERVICE_ACCOUNT) -> Access:
    """Find out where to connect, and as whom: flags first, then the kubeconfig, then the pod this runs in.

    Raises Error, with what is missing or wrong where.
    """
    kubeconfig = read(connection.kubeconfig)
    context_name = connection.context or kubeconfig.current_context
    context = _named(kubeconfig.contexts, context_name, "context", kubeconfig)
    cluster_name = connection.cluster or (context.text("cluster") if context else None)
    cluster = _named(kubeconfig.clusters, cluster_name, "cluster", kubeconfig)
    user_name = connection.user or (context.text("user") if context else None)
    user = _named(kubeconfig.users, user_name, "user", kubeconfig)

    pod_server = _pod_server(service_account)
    # kubectl's rule: the pod's own server only where nothing says which server is meant, and its namespace
    # wherever nothing says which namespace.
    if pod_server and not (context or cluster or connection.server):
        cluster = Entry("in-cluster", {"server": pod_server}, service_account / "config", "cluster")
        if (service_account / "ca.crt").exists():
            cluster = Entry(cluster.name, {**cluster.body, "certificate-authority": "ca.crt"}, cluster.file, "cluster")
        user = user or Entry("service account", {"tokenFile": "token"}, service_account / "config", "user")
    server = connection.server or (cluster.text("server") if cluster else None)
    if not server:
        raise _no_server(kubeconfig, context, cluster)
    namespace = (
        connection.namespace
        or (context.text("namespace") if context else None)
        or (_pod_namespace(service_account) if pod_server else None)
        or "default"
    )
    # A server without a scheme is http for kubectl, whatever the TLS flags say.
    parts = _split(server if "://" in server else f"http://{server}", "server")
    secure = parts.scheme == "https"
    authority, insecure = _verification(connection, cluster) if secure else (None, False)
    return Access(
        server=parts.geturl().rstrip("/"),
        namespace=namespace,
        # As kubectl: no credentials over a connection that anybody can read.
        user=_user(connection, user, cluster, server, authority) if secure else User(name=user.name if user else ""),
        authority=authority,
        insecure=insecure,
        tls_server_name=connection.tls_server_name
        or (None if connection.server or not cluster else cluster.text("tls-server-name")),
        proxy_url=_proxy(connection, cluster),
        compression=not _given(connection.disable_compression, bool(cluster and cluster.flag("disable-compression"))),
    )


def read(explicit: str | None) -> Kubeconfig:
    """Read and merge the files: `explicit` alone, else those that KUBECONFIG lists, else ~/.kube/config.

    A missing file is skipped, unless it is the explicit one.
    """
    files: tuple[Path, ...]
    if explicit:
        files = (Path(explicit),)
    elif listed := os.environ.get("KUBECONFIG"):
        files = tuple(Path(name) for name in dict.fromkeys(listed.split(os.pathsep)) if name)
    else:
        files = (Path("~/.kube/config").expanduser(),)
    current: str | None = None
    entries: dict[str, dict[str, Entry]] = {"cluster": {}, "user": {}, "context": {}}
    for file in files:
        document = _document(file, required=bool(explicit))
        current = current or Entry(str(file), document, file, "file").text("current-context")
        for what, named in entries.items():
            for entry in _entries(document, what, file):
                named.setdefault(entry.name, entry)
    return Kubeconfig(files, current, entries["cluster"], entries["user"], entries["context"])


def _document(file: Path, *, required: bool) -> Mapping[str, Any]:
    import yaml

    # The pure Python parser takes 45 ms for 87 KB, libyaml 4 (measured).
    safe: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

    class Bounded(safe):  # type: ignore[misc]  # either of two classes
        """A safe loader that refuses what is nested too deeply.

        PyYAML composes level in level, in C for CSafeLoader, and libyaml has a limit of its own only from 0.2.6 on:
        with 0.2.5, that of PyYAML 6.0.3, a file of `[` alone ended the process with SIGSEGV (measured).
        """

        depth = 0

        def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
            self.depth += 1
            if self.depth > DEEPEST:
                raise yaml.MarkedYAMLError(problem_mark=current_node.start_mark if current_node else None)
            super().descend_resolver(current_node, current_index)

        def ascend_resolver(self) -> None:
            self.depth -= 1
            super().ascend_resolver()

    try:
        document = yaml.load(file.read_bytes(), Loader=Bounded)  # noqa: S506 - it is a safe loader
    except FileNotFoundError:
        if required:
            raise Error(f"kubeconfig {file} does not exist") from None
        return {}
    except OSError as error:
        raise Error(f"cannot read kubeconfig {file}: {reason(error)}") from None
    except yaml.MarkedYAMLError as error:
        # Its text can quote the file, and so a token: the line's number must do.
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Error(f"kubeconfig {file} is no valid YAML{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Error(f"kubeconfig {file} is no valid YAML") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Error(f"kubeconfig {file} is no mapping with clusters, users and contexts")
    return document


def _entries(document: Mapping[str, Any], what: str, file: Path) -> list[Entry]:
    listed = document.get(f"{what}s") or []
    if not isinstance(listed, list):
        raise Error(f"{what}s in kubeconfig {file} is no list")
    found = []
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        body = item.get(what) or {} if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(body, dict):
            raise Error(f"{what}s in kubeconfig {file} has an entry that is no name with a {what}")
        found.append(Entry(name, body, file, what))
    return found


def _named(entries: Mapping[str, Entry], name: str | None, what: str, kubeconfig: Kubeconfig) -> Entry | None:
    if not name:
        return None
    if name in entries:
        return entries[name]
    where = ", ".join(map(str, kubeconfig.files))
    known = ", ".join(list(entries)[:10])
    raise Error(
        f"{what} {one_line(name)!r} does not exist in kubeconfig {where}",
        hint=f"{what}s there: {one_line(known)}" if known else None,
    )


def _no_server(kubeconfig: Kubeconfig, context: Entry | None, cluster: Entry | None) -> Error:
    where = ", ".join(map(str, kubeconfig.files))
    if cluster:
        return Error(f"cluster {cluster.name!r} in {cluster.file} has no server")
    if context:
        return Error(f"context {context.name!r} in {context.file} has no cluster")
    if not any(file.exists() for file in kubeconfig.files):
        return Error(f"there is no kubeconfig: {where} does not exist", hint="name one with --kubeconfig or KUBECONFIG")
    if not kubeconfig.contexts:
        return Error(f"kubeconfig {where} has no contexts")
    known = one_line(", ".join(list(kubeconfig.contexts)[:10]))
    return Error(f"kubeconfig {where} has no current context", hint=f"name one with --context: {known}")


def _pod_server(service_account: Path) -> str | None:
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if not (host and port and (service_account / "token").is_file()):
        return None
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _pod_namespace(service_account: Path) -> str | None:
    if name := os.environ.get("POD_NAMESPACE"):
        return name
    try:
        return (service_account / "namespace").read_text().strip()
    except (OSError, UnicodeError):
        return None


def _split(url: str, what: str) -> SplitResult:
    """Take a URL apart. The message does not repeat it: it can hold a password."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or not parts.hostname or CONTROL.search(url) or " " in url:
        raise Error(f"the {what} is no valid URL", hint=f"a {what} looks like https://HOST:PORT")
    if parts.scheme not in {"http", "https"} and what == "server":
        raise Error(f"the server's URL begins with {one_line(parts.scheme)}://, not with https://")
    return parts


def _given(flag: bool | None, otherwise: bool) -> bool:
    return otherwise if flag is None else flag


def _proxy(connection: Connection, cluster: Entry | None) -> str | None:
    url = connection.proxy_url or (cluster.text("proxy-url") if cluster else None)
    if not url:
        return None
    scheme = _split(url, "proxy-url").scheme
    if scheme not in PROXY_SCHEMES:
        raise Error(f"proxy-url begins with {one_line(scheme)}://, not with http://, https:// or socks5://")
    return url


def _verification(connection: Connection, cluster: Entry | None) -> tuple[str | None, bool]:
    """Return the authority's PEM text, and whether the server goes unverified."""
    authority: bytes | None
    if connection.certificate_authority:
        authority = read_file(Path(connection.certificate_authority), "certificate-authority")
        insecure = bool(connection.insecure_skip_tls_verify)
    elif connection.insecure_skip_tls_verify:
        return None, True
    elif cluster:
        # kubectl takes the flag's `=false` for "not given"; here it has its effect.
        insecure = _given(connection.insecure_skip_tls_verify, cluster.flag("insecure-skip-tls-verify"))
        authority = cluster.data("certificate-authority-data")
        if authority is None and (file := cluster.path("certificate-authority")):
            authority = read_file(file, f"certificate-authority of cluster {cluster.name!r}")
    else:
        return None, False
    if insecure and authority:
        raise Error("certificate-authority and insecure-skip-tls-verify exclude each other")
    try:
        return authority.decode() if authority else None, insecure
    except UnicodeDecodeError:
        raise Error("the certificate authority is no PEM text") from None


def _user(
    connection: Connection, entry: Entry | None, cluster: Entry | None, server: str, authority: str | None
) -> User:
    """Put the flags over a user's entry.

    As in kubectl, --token takes the place of a plugin, yet a client certificate is still shown: the API server looks
    at it first. Unlike in kubectl, --token also takes the place of a tokenFile and of a password.
    """
    entry = entry or Entry("", {}, Path(), "user")
    certificate, key = _certificate(connection, entry)
    token, token_file, password, plugin = connection.token, None, None, None
    if not token:
        token, token_file = entry.text("token"), entry.path("tokenFile")
        name, secret = entry.text("username"), entry.text("password")
        if name or secret:
            password = (name or "", secret or "")
        if (token or token_file) and password:
            raise Error(f"user {entry.name!r} in {entry.file} has both a token and a password")
        if not (token or token_file or password or certificate):
            plugin = _plugin(entry, cluster, server, authority)
            token = None if plugin else _id_token(entry)
    name = "" if connection.token else entry.name
    return User(
        name=name,
        token=token,
        token_file=token_file,
        password=password,
        certificate=certificate,
        key=key,
        plugin=plugin,
        impersonation=_impersonation(connection, entry),
    )


def _certificate(connection: Connection, entry: Entry) -> tuple[Path | bytes | None, Path | bytes | None]:
    pair: list[Path | bytes | None] = []
    for flag, key in ((connection.client_certificate, "client-certificate"), (connection.client_key, "client-key")):
        value = Path(flag) if flag else entry.data(f"{key}-data") or entry.path(key)
        if isinstance(value, Path):
            read_file(value, key)
        pair.append(value)
    certificate, key_of_it = pair
    if (certificate is None) != (key_of_it is None):
        present, missing = ("client-certificate", "client-key")[:: 1 if certificate else -1]
        raise Error(f"user {entry.name!r} has a {present} without a {missing}", hint=f"give --{missing} too")
    return certificate, key_of_it


def _plugin(entry: Entry, cluster: Entry | None, server: str, authority: str | None) -> ExecPlugin | None:
    plugin = entry.part("exec")
    if plugin is None:
        return None
    command, version = plugin.text("command"), plugin.text("apiVersion") or ""
    if not command:
        raise Error(f"exec of user {entry.name!r} in {entry.file} has no command")
    if version not in EXEC_VERSIONS:
        raise Error(
            f"exec of user {entry.name!r} in {entry.file} has apiVersion {one_line(version)!r}, "
            f"not {' or '.join(EXEC_VERSIONS)}",
            hint="renew the kubeconfig with the tool that wrote it",
        )
    interactive = plugin.text("interactiveMode") or "IfAvailable"
    if interactive not in {"Never", "IfAvailable", "Always"}:
        raise Error(f"exec of user {entry.name!r} in {entry.file} has an unknown interactiveMode")
    if os.path.dirname(command):
        # With a folder in it, it is relative to the kubeconfig; without, it is looked up in PATH.
        command = str(plugin.path("command"))
    environment = plugin.body.get("env") or []
    if not isinstance(environment, list) or not all(isinstance(variable, dict) for variable in environment):
        raise Error(f"exec of user {entry.name!r} in {entry.file} has an env that is no list of names and values")
    variables = [Entry(entry.name, variable, entry.file, "exec's env of user") for variable in environment]
    return ExecPlugin(
        command=command,
        arguments=plugin.strings("args"),
        environment=tuple((variable.text("name") or "", variable.text("value") or "") for variable in variables),
        version=version,
        interactive=interactive,
        install_hint=plugin.text("installHint"),
        cluster=_cluster_info(cluster, server, authority) if plugin.flag("provideClusterInfo") else None,
    )


def _cluster_info(cluster: Entry | None, server: str, authority: str | None) -> Mapping[str, Any]:
    """Build what a plugin is told of the cluster: client.authentication.k8s.io/v1, Cluster."""
    info: dict[str, Any] = {"server": server}
    if authority:
        info["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
    if cluster:
        for key in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression"):
            if cluster.body.get(key):
                info[key] = cluster.body[key]
        for extension in cluster.body.get("extensions") or ():
            if isinstance(extension, dict) and extension.get("name") == EXEC_EXTENSION:
                info["config"] = extension.get("extension")
    return info


def _id_token(entry: Entry) -> str | None:
    """Take the token that `auth-provider: oidc` keeps in the kubeconfig; kubectl is left to renew it there."""
    provider = entry.part("auth-provider")
    if provider is None:
        return None
    name, config = provider.text("name"), provider.part("config")
    if name != "oidc" or config is None:
        # kubectl 1.26 removed the others.
        raise Error(
            f"auth-provider {one_line(str(name))!r} of user {entry.name!r} in {entry.file} is not supported",
            hint="use an exec plugin: kubernetes.io/docs/reference/access-authn-authz/authentication",
        )
    return config.text("id-token")


def _impersonation(connection: Connection, entry: Entry) -> Impersonation | None:
    user = connection.as_user or entry.text("as")
    uid = connection.as_uid or entry.text("as-uid")
    groups = connection.as_groups or entry.strings("as-groups")
    stored = entry.part("as-user-extra")
    extra = {key: stored.strings(key) for key in stored.body} if stored else {}
    given: dict[str, tuple[str, ...]] = {}
    for pair in connection.as_user_extra:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise Usage("--as-user-extra needs KEY=VALUE")
        given[key] = (*given.get(key, ()), value)
    extra |= given
    if not user:
        if uid or groups or extra:
            raise Usage("--as-uid, --as-group and --as-user-extra need --as", hint="name the user with --as")
        return None
    pairs = tuple((key, value) for key, values in extra.items() for value in values)
    for text in (user, uid, *groups, *(text for pair in pairs for text in pair)):
        if text and CONTROL.search(text):
            # It would end the header's line.
            raise Usage("the user, uid, group or extra to act as has a control character in it")
    return Impersonation(user=user, uid=uid, groups=groups, extra=pairs)


def read_file(file: Path, what: str) -> bytes:
    """Read a file that the configuration names."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Error(f"cannot read {what} {file}: {reason(error)}") from None


def reason(error: OSError) -> str:
    """Say what the system says, in lower case: `permission denied`; http.client's own OSErrors have a text alone."""
    text = error.strerror or (error.args[0] if error.args and isinstance(error.args[0], str) else None)
    return one_line(text or type(error).__name__).lower()
