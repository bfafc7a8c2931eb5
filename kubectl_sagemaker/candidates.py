"""What the word before the cursor can become: kinds, names of the cluster, entries of the kubeconfig.

Each function of a context, a parameter and the word so far is a `shell_complete` of click. Kinds, flags and choices
import nothing heavy. What cannot be found out, or not in time, is not offered; nothing here raises an Error.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from kubectl_sagemaker import kinds
from kubectl_sagemaker.errors import Error, Forbidden, NotFound, Usage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kubectl_sagemaker.kube import Kube

Offer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[Any]]
"""As click has it: a list of strings, or of CompletionItems."""

SECONDS: Final = 0.8
"""How long the cluster may take, exec plugin included: the shell waits. Python's start takes the rest of a second."""
MOST_INSTANCES: Final = 100
"""Instances that are offered, at most: a resource's spec may hold any number."""
PLAIN: Final = re.compile(r"[A-Za-z0-9@%+=:,./_~-]+")
"""Words that no shell reads as anything but themselves. A server's answer goes to the person's command line, so what
is not plain is left out, control characters included."""


def resources(targets: Sequence[kinds.Target], *, several: bool = False, alone: Sequence[kinds.Target] = ()) -> Offer:
    """Offer what KIND NAME and KIND/NAME can become, of these kinds.

    `several` names may follow a kind; for a word that begins no kind, the names of the kinds are offered among which
    one that stands `alone` is looked for.
    """

    def offer(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
        typed: tuple[str, ...] = ctx.params.get(param.name or "") or ()
        if typed and not several and (len(typed) > 1 or "/" in typed[0]):
            return []
        kind, slash, _ = word.partition("/")
        if slash and all("/" in before for before in typed):
            return [each for name in _names(ctx, _meant(kind)) if (each := f"{kind}/{name}").startswith(word)]
        if typed:
            names = _names(ctx, _meant(typed[0]))
        else:
            names = spellings(word, targets) or (_names(ctx, alone) if alone else [])
        return [name for name in names if name.startswith(word) and name not in typed]

    return offer


def spellings(word: str, targets: Iterable[kinds.Target]) -> list[str]:
    """Kinds as they were begun: `train` is `trainingjob`, `Train` is `TrainingJob`, and so on with plural and group.

    Of the forms of a kind the simplest that fits is offered.
    """
    apis = [api for target in targets for api in target.apis]
    begun = word.lower()
    forms: tuple[Callable[[kinds.Api], Iterable[str]], ...] = (
        lambda api: (api.singular,),
        lambda api: (api.plural, *api.short_names),
        lambda api: (f"{api.singular}.{api.group.name}", api.resource),
        kinds.spellings,
    )
    for form in forms:
        fitting = {
            _as_begun(word, spelling, api) for api in apis for spelling in form(api) if spelling.startswith(begun)
        }
        if fitting:
            # Groups differ in a kind's capitals; the first in order has the most.
            return list({spelling.lower(): spelling for spelling in sorted(fitting, reverse=True)}.values())[::-1]
    return []


def _as_begun(word: str, spelling: str, api: kinds.Api) -> str:
    """The spelling with the kind's own capitals if the word has them so far, else with the word's."""
    length = len(api.kind)
    if word and api.kind.startswith(word[:length]) and spelling.startswith(api.singular):
        return api.kind + spelling[length:]
    return word + spelling[len(word) :]


def _meant(kind: str) -> Sequence[kinds.Target]:
    """What a KIND word means, which is nothing if it is none."""
    try:
        return [kinds.parse(kind)]
    except Usage:
        return []


def _names(ctx: click.Context, targets: Sequence[kinds.Target]) -> list[str]:
    """Names of kinds in the namespace, of all their APIs."""

    def ask(kube: Kube) -> Iterable[str]:
        namespace = kube.namespace
        for api in (api for target in targets for api in target.apis):
            # Not asked whether it is installed: 403 and 404 come to the same, and a round trip is saved.
            try:
                yield from (item["metadata"]["name"] for item in kube.list(api, namespace))
            except (Forbidden, NotFound):
                continue

    return _asked(ctx, ask) if targets else []


def instances(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
    """Offer the instances of the resource on the line, where its spec tells their names."""
    del param
    # click's parser stops at a flag without its value, and leaves the words where they are.
    words: Sequence[str] = ctx.params.get("words") or ctx.args
    kind, _, name = words[0].partition("/") if len(words) == 1 else ("", "", "")
    if len(words) == 2:
        kind, name = words
    targets = _meant(kind) if PLAIN.fullmatch(name) else ()

    def ask(kube: Kube) -> Iterable[str]:
        from kubectl_sagemaker import jobs

        namespace = kube.namespace
        for kind, api in ((target.kind, api) for target in targets for api in target.apis):
            try:
                job = jobs.read(kind, api, kube.get(api, namespace, name))
            except (Forbidden, NotFound, Usage):
                continue
            count = sum(machines.count or 0 for machines in job.instances)
            host = kind.log.host if kind.log else ""
            yield from (host.format(number=number) for number in range(1, min(count, MOST_INSTANCES) + 1) if host)

    return [each for each in _asked(ctx, ask) if each.startswith(word)] if targets else []


def namespaces(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
    """Offer the cluster's namespaces."""
    del param

    def ask(kube: Kube) -> Iterable[str]:
        yield from (item["metadata"]["name"] for item in kube.call("GET", "/api/v1/namespaces")["items"])

    return [name for name in _asked(ctx, ask) if name.startswith(word)]


def _asked(ctx: click.Context, question: Callable[[Kube], Iterable[str]]) -> list[str]:
    """Ask the cluster that the flags on the line mean; return plain words in order, and none when time is up.

    In a thread, and a daemon: neither a name server that is silent nor an exec plugin can be interrupted.
    """
    from kubectl_sagemaker.kube import Connection, Kube

    given = {name: ctx.params.get(name) for name in Connection._fields}
    connection = Connection(**{name: value for name, value in given.items() if value is not None})
    kube = Kube(connection._replace(request_timeout=SECONDS))
    answer: list[str] = []

    def ask() -> None:
        try:
            answer.extend(question(kube))
        except (Error, LookupError, TypeError):
            # The last two: something answers that is no API server.
            answer.clear()

    kube.prepare()
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [] if thread.is_alive() else _plain(answer)


def contexts(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
    """Offer the kubeconfig's contexts, clusters or users: whichever the flag is named after."""
    from kubectl_sagemaker.kubeconfig import read

    try:
        kubeconfig = read(ctx.params.get("kubeconfig"))
    except Error:
        return []
    entries = {"context": kubeconfig.contexts, "cluster": kubeconfig.clusters, "user": kubeconfig.users}
    return [name for name in _plain(entries[param.name or ""]) if name.startswith(word)]


def zones(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
    """Offer time zones."""
    del ctx, param
    from zoneinfo import available_timezones

    return [name for name in ("local", "utc", *_plain(available_timezones())) if name.startswith(word)]


def files(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """Leave it to the shell, which knows the files."""
    del ctx, param
    from click.shell_completion import CompletionItem

    return [CompletionItem(word, type="file")]


def _plain(words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if PLAIN.fullmatch(word) and not word.startswith("-")})
