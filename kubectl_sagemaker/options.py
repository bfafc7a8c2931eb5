"""Flags and arguments that commands share, in kubectl's grammar."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from kubectl_sagemaker import candidates, kinds, times
from kubectl_sagemaker.errors import Usage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
"""What Go's strconv.ParseBool takes, and so every boolean flag of kubectl."""


class Parsed(click.ParamType[Any]):
    """A value parsed at the border by a function that raises Usage."""

    def __init__(self, metavar: str, parse: Callable[[str], Any]) -> None:
        self.name = metavar
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse what was typed; the error names the flag, or the variable that set it."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except Usage as error:
            flag = max(param.opts, key=len) if param and param.param_type_name == "option" else ""
            source = variable(param, ctx) or flag
            raise Usage(f"{source}: {error.message}" if source else error.message, hint=error.hint) from error


def variable(param: click.Parameter | None, ctx: click.Context | None) -> str | None:
    """The environment variable that gave a parameter its value; None if none did."""
    if not (param and param.name and ctx and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT):
        return None
    known = [param.envvar] if isinstance(param.envvar, str) else param.envvar or ()
    return next((name for name in known if os.environ.get(name)), None)


class Flag(click.Option):
    """A boolean flag; `--follow=false` works as in kubectl, through a hidden opposite."""

    def __init__(self, declarations: Sequence[str], **settings: Any) -> None:
        name = next(word for word in declarations if word.startswith("--"))
        others = [word for word in declarations if word != name]
        super().__init__(
            [*others, f"{name}/--no-{name.removeprefix('--')}"],
            is_flag=True,
            **{"default": False, **settings},
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Only the flag itself; its opposite is `=false`."""
        opposite, self.secondary_opts = self.secondary_opts, []
        try:
            return super().get_help_record(ctx)
        finally:
            self.secondary_opts = opposite


class Command(click.Command):
    """A command that takes flags as kubectl does: `--follow=false`, `-f=true`, `-n=ml`; -h asks for help too."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        super().__init__(*arguments, **settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put each `--flag=BOOL` as the flag or its opposite, and `-n=ml` as `-n ml`, then parse as ever."""
        try:
            return super().parse_args(ctx, list(self._plain(args)))
        except click.NoSuchOption as error:
            # click would propose what --help does not show: the flags that we refuse, and the opposites.
            shown = [name for option in self.params if not getattr(option, "hidden", True) for name in option.opts]
            raise click.NoSuchOption(error.option_name, possibilities=shown, ctx=ctx) from error
        except click.BadParameter as error:
            error.param_hint = variable(error.param, ctx) or error.param_hint
            raise
        except click.UsageError as error:
            # Some of click's parser name no command; the hint would then lead to the program's help.
            error.ctx = error.ctx or ctx
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Flags as the help shows them: without the opposites."""
        opposites = {name for option in self.params for name in option.secondary_opts}
        return [item for item in super().shell_complete(ctx, incomplete) if item.value not in opposites]

    def _plain(self, args: list[str]) -> Iterator[str]:
        # click looks a short flag up among the long ones, and for what is spelt like it, before it takes it: 1 ms.
        long = {name: max(option.opts, key=len) for option in self.params for name in option.opts}
        flags = {name: option for option in self.params if isinstance(option, Flag) for name in option.opts}
        valued = {name for option in self.params if not isinstance(option, Flag) for name in option.opts}
        rest = iter(args)
        for word in rest:
            name, equals, value = word.partition("=")
            if word == "--":
                yield word
                yield from rest
            elif word in valued:
                given = list(_one(rest))
                yield long[word] if given else word
                yield from given
            elif equals and name in flags:
                if value not in TRUE | FALSE:
                    raise Usage(f"{name}: {value!r} is neither true nor false")
                yield name if value in TRUE else flags[name].secondary_opts[0]
            elif equals and name in valued and not name.startswith("--"):
                # click takes `=ml` for the value.
                yield from (long[name], value)
            else:
                yield long[word] if word in flags else word


def _one(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        yield word
        return


def names(*suffixes: str) -> list[str]:
    """Environment variables that set a flag, for both programs: `KUBECTL_SMLOGS_…`, `KUBECTL_SAGEMAKER_…`."""
    return [f"KUBECTL_{program}_{suffix}" for suffix in suffixes for program in ("SMLOGS", "SAGEMAKER")]


def request_timeout(text: str) -> float:
    """Seconds of kubectl's --request-timeout: a duration, or a plain number of seconds; 0 is none."""
    return times.duration(f"{text}s" if text.isdecimal() else text)


UNFIT: Final = re.compile(r"[/%\s\x00-\x1f\x7f-\x9f\ud800-\udfff]|^\.{1,2}$|^$")
"""What can't be in a resource's name: it would be another path of the API server (as in kubectl), or none at all, as
with bytes that are no UTF-8, which Python reads as surrogates."""


def resource_name(word: str) -> str:
    """A resource's name as it may stand in a path; raises Usage."""
    if UNFIT.search(word):
        raise Usage(f"invalid resource name {word!r}", hint="a name has no slash, space, percent or control character")
    return word


def namespace_name(text: str) -> str:
    """A namespace's name as it may stand in a path, or empty for the context's; raises Usage."""
    if text and UNFIT.search(text):
        raise Usage(f"{text!r} can't be a namespace")
    return text


def selector(text: str) -> str:
    """A label selector; the API server parses it. Raises Usage for what can't be sent."""
    if not text.isprintable():
        raise Usage(f"{text!r} can't be a selector")
    return text


def resource(words: Sequence[str]) -> tuple[list[kinds.Target], str]:
    """KIND NAME, KIND/NAME or NAME as a name and the targets among which to look for it; raises Usage.

    NAME alone means every kind that has a log.
    """
    if len(words) == 1 and "/" in words[0]:
        kind, _, name = words[0].partition("/")
        return kinds.parse_all(kind), resource_name(name)
    if not words:
        hint = "`kubectl sagemaker status` lists what there is, `--help` has examples"
        raise Usage("name a resource: KIND NAME, KIND/NAME, or NAME alone", hint=hint)
    if len(words) > 2 or (len(words) == 2 and "/" in words[0]):
        raise Usage(f"one resource at a time, as KIND NAME or KIND/NAME: {' '.join(words)!r} are more words")
    targets = _kinds(words[0]) if len(words) == 2 else kinds.logged()
    return targets, resource_name(words[-1])


def _kinds(word: str) -> list[kinds.Target]:
    """The kinds of the names that follow; raises Usage, which says so to who gave names alone."""
    try:
        return kinds.parse_all(word)
    except Usage as error:
        if kinds.nearest(word):
            raise
        raise Usage(error.message, hint="the first of several words is a kind; `--help` lists the kinds") from error


def resources(words: Sequence[str]) -> list[tuple[list[kinds.Target], str]]:
    """KIND NAME…, KIND/NAME…, or NAME alone: names, each with the targets to look among; raises Usage."""
    if len(words) < 2 or (len(words) == 2 and "/" not in words[0]):
        return [resource(words)]
    if any("/" in word for word in words):
        plain = next((word for word in words if "/" not in word), None)
        if plain:
            raise Usage(f"{plain!r} stands among KIND/NAME: write all of them so, or KIND NAME NAME")
        named = [resource([word]) for word in words]
    else:
        targets = _kinds(words[0])
        named = [(targets, resource_name(word)) for word in words[1:]]
    return list({(tuple(among), name): (among, name) for among, name in named}.values())


REFUSED: Final = {
    "--cache-dir": "nothing is cached on disk",
    "--kuberc": "kuberc files are kubectl's own",
    "--log-flush-frequency": "there is no such log; --debug says what is asked",
    "--match-server-version": "no particular version of the server is needed",
    "--password": "the API server takes no passwords since Kubernetes 1.19",
    "--profile-output": "--profile is the AWS profile here",
    "--username": "the API server takes no passwords since Kubernetes 1.19",
    "--v": "--debug says what is asked",
    "--vmodule": "--debug says what is asked",
    "--warnings-as-errors": "the API server's warnings are not shown",
}
"""Flags of kubectl that have no meaning here, and why."""


def _refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    del ctx
    if value is not None:
        flag = param.opts[0]
        raise Usage(f"{flag} can't be honoured: {REFUSED[flag]}")


def count(text: str) -> int:
    """A number of lines, or -1 for all; raises Usage."""
    if not re.fullmatch(r"-1|\d{1,15}", text, re.ASCII):
        raise Usage(f"{text!r} is no number of lines", hint="0 is none, -1 is all")
    return int(text)


def some(text: str) -> int:
    """A number of at least one; raises Usage."""
    if not re.fullmatch(r"0*[1-9]\d{0,8}", text, re.ASCII):
        raise Usage(f"{text!r} is no number of at least 1")
    return int(text)


def expression(text: str) -> re.Pattern[str]:
    """A regular expression; raises Usage."""
    try:
        return re.compile(text)
    except re.error as error:
        raise Usage(f"{text!r} is no regular expression: {error}") from error


COUNT: Final = Parsed("N", count)
SOME: Final = Parsed("N", some)
COLOR: Final = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    envvar=names("COLOR"),
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)


def colours(choice: str, *, terminal: bool) -> bool:
    """Whether to colour: NO_COLOR and TERM=dumb speak when the flag does not."""
    if choice == "auto":
        return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"


DURATION: Final = Parsed("DURATION", times.duration)
SELECTOR: Final = Parsed("TEXT", selector)
WHEN: Final = Parsed("TIME", times.when)
EXPRESSION: Final = Parsed("REGEX", expression)

CONNECTION: Final[tuple[click.Option, ...]] = (
    click.Option(
        ["-n", "--namespace"],
        type=Parsed("TEXT", namespace_name),
        shell_complete=candidates.namespaces,
        help="Namespace; default: the context's.",
    ),
    click.Option(["--context"], shell_complete=candidates.contexts, help="Context of the kubeconfig."),
    click.Option(["--kubeconfig"], shell_complete=candidates.files, help="Path of the kubeconfig."),
    click.Option(["--cluster"], shell_complete=candidates.contexts, help="Cluster of the kubeconfig."),
    click.Option(["--user"], shell_complete=candidates.contexts, help="User of the kubeconfig."),
    click.Option(["-s", "--server"], help="Address and port of the API server."),
    click.Option(["--token"], help="Bearer token for the API server."),
    click.Option(["--as", "as_user"], help="User to impersonate."),
    click.Option(["--as-group", "as_groups"], multiple=True, help="Group to impersonate; repeatable."),
    click.Option(["--as-uid"], help="UID to impersonate."),
    click.Option(["--as-user-extra"], multiple=True, metavar="KEY=VALUE", help="Extra to impersonate; repeatable."),
    click.Option(["--certificate-authority"], shell_complete=candidates.files, help="CA file of the API server."),
    click.Option(["--client-certificate"], shell_complete=candidates.files, help="Client certificate file for TLS."),
    click.Option(["--client-key"], shell_complete=candidates.files, help="Client key file for TLS."),
    click.Option(["--tls-server-name"], help="Name to check the server's certificate against."),
    Flag(["--insecure-skip-tls-verify"], default=None, help="Don't check the server's certificate: insecure."),
    click.Option(["--proxy-url"], help="Proxy for requests to the API server."),
    Flag(["--disable-compression"], default=None, help="Don't ask the API server for compressed answers."),
    click.Option(
        ["--request-timeout"],
        type=Parsed("DURATION", request_timeout),
        help="Longest time of one request to the API server, such as 5s; 0: none.",
    ),
    *(
        # A value is optional: some of these are boolean.
        click.Option(
            [name, *(["-v"] if name == "--v" else [])],
            hidden=True,
            expose_value=False,
            is_flag=False,
            flag_value="",
            callback=_refuse,
        )
        for name in REFUSED
    ),
)
ACCOUNT: Final[tuple[click.Option, ...]] = (
    click.Option(["--profile"], envvar=names("PROFILE"), help="AWS profile."),
    click.Option(["--region"], help="AWS region; default: the resource's, then the environment's."),
    click.Option(
        ["--endpoint-url"],
        help="Endpoint for all that is asked of AWS here (SageMaker, CloudWatch Logs, STS), instead of AWS's own.",
    ),
)
TALK: Final[tuple[click.Option, ...]] = (
    Flag(["-q", "--quiet"], help="Say nothing but errors on stderr."),
    Flag(["--debug"], help="Say on stderr what is asked of the API server and AWS."),
)


def shared(*groups: Sequence[click.Option]) -> Callable[[F], F]:
    """Give a command groups of shared options, and its function one `env` for all their values."""
    options = [option for group in groups for option in group]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(**values: Any) -> Any:
            # By now the command line is known to make sense; help and completion pay for none of these.
            from kubectl_sagemaker.aws import Account
            from kubectl_sagemaker.connection import Connection
            from kubectl_sagemaker.env import Env

            given = {option.name: values.pop(option.name) for option in options if option.expose_value and option.name}
            connection = Connection(**{name: given[name] for name in CONNECTION_NAMES if name in given})
            account = Account(**{name: given[name] for name in ACCOUNT_NAMES if name in given})
            env = Env(connection, account, quiet=given.get("quiet", False), debugging=given.get("debug", False))
            return function(env, **values)

        own = list(getattr(run, "__click_params__", []))
        run.__click_params__ = [*reversed(options), *own]  # type: ignore[attr-defined]  # click's own protocol
        return run  # type: ignore[return-value]  # same calls, less the shared values

    return decorate


CONNECTION_NAMES: Final = [option.name for option in CONNECTION if option.expose_value and option.name]
ACCOUNT_NAMES: Final = [option.name for option in ACCOUNT if option.name]
