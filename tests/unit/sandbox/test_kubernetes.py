"""The embedded Kubernetes API's own rules: those that a real server shows too late, too rarely, or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from kubectl_sagemaker.sandbox import access, certificate, patches, protobuf, selectors, tables
from kubectl_sagemaker.sandbox.access import ANONYMOUS, Attributes
from kubectl_sagemaker.sandbox.apiserver import Answer, Request, Watch, answer
from kubectl_sagemaker.sandbox.cluster import NAMESPACES, Cluster, Event
from kubectl_sagemaker.sandbox.kubernetes import ADMIN, VIEWER, kubeconfig, serve
from kubectl_sagemaker.sandbox.refusals import Refused
from kubectl_sagemaker.sandbox.resources import RESOURCES

MODELS = RESOURCES["models.sagemaker.services.k8s.aws"]
EVENTS = RESOURCES["events"]
MODELS_PATH = f"{MODELS.path}/namespaces/default/models"
TOKENS = {"a": ADMIN, "v": VIEWER}


def model(name: str, **metadata: Any) -> dict[str, Any]:
    """A custom resource."""
    return {
        "apiVersion": MODELS.api_version,
        "kind": "Model",
        "metadata": {"name": name, **metadata},
        "spec": {"modelName": name},
    }


@pytest.fixture
def cluster() -> Cluster:
    """A cluster whose time stands still, and that remembers ten events."""
    return Cluster(now=lambda: 1_600_000_000.0, history=10)


def ask(cluster: Cluster, path: str, **query: str) -> tuple[int, Any]:
    """Read a path as the admin; return the status and the JSON of the answer."""
    given = answer(cluster, TOKENS, Request("GET", path, query, token="a"))
    assert isinstance(given, Answer)
    return given.status, json.loads(given.body)


def lines(cluster: Cluster, watch: Watch) -> list[dict[str, Any]]:
    """What a watch shows at once."""
    shown: list[bytes | None] = []
    cluster.watch(watch.resource, lambda event: shown.append(watch.line(event)), watch.since)()
    return [json.loads(line) for line in shown if line]


class TestCluster:
    def test_a_python_caller_is_held_to_the_rules_of_http(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m"))
        requests: list[tuple[Callable[[], object], str]] = [
            (lambda: cluster.create(MODELS, "default", model("m")), "AlreadyExists"),
            (lambda: cluster.create(MODELS, "nowhere", model("n")), "NotFound"),
            (lambda: cluster.create(MODELS, "default", {**model("n"), "kind": "Other"}), "Invalid"),
            (lambda: cluster.create(MODELS, "default", model("n", labels={"a": 1})), "BadRequest"),
            (lambda: cluster.create(MODELS, "default", {**model("n"), "metadata": None}), "BadRequest"),
            (lambda: cluster.replace(MODELS, "default", "m", model("m", resourceVersion="1")), "Conflict"),
            (lambda: cluster.patch(MODELS, "default", "m", {"metadata": {"uid": "other"}}), "Invalid"),
            (lambda: cluster.patch(MODELS, "default", "m", {"metadata": {"name": "other"}}), "BadRequest"),
        ]
        for refused, reason in requests:
            with pytest.raises(Refused) as caught:
                refused()
            assert caught.value.reason == reason

    def test_what_was_read_never_changes(self, cluster: Cluster) -> None:
        given = model("m", labels={"a": "b"})
        before = cluster.create(MODELS, "default", given)
        given["spec"]["modelName"] = "changed behind its back"
        cluster.patch(MODELS, "default", "m", {"metadata": {"labels": {"a": "c"}}})
        cluster.patch(MODELS, "default", "m", [{"op": "add", "path": "/spec/x", "value": 1}])
        assert (before["spec"], before["metadata"]["labels"]) == ({"modelName": "m"}, {"a": "b"})

    def test_creation_time_is_the_clusters(self, cluster: Cluster) -> None:
        made = cluster.create(MODELS, "default", model("m", creationTimestamp="1999-01-01T00:00:00Z"))
        assert made["metadata"]["creationTimestamp"] == "2020-09-13T12:26:40Z"

    def test_a_patched_status_leaves_the_rest_and_wakes_watchers_only_when_it_changes(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m"))
        told: list[Event] = []
        stop = cluster.watch(MODELS, told.append, since=cluster.version)
        for _ in range(2):
            cluster.patch_status(MODELS, "default", "m", {"phase": "Ready", "gone": None})
        cluster.create(EVENTS, "default", {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}})
        stop()
        cluster.patch_status(MODELS, "default", "m", {"phase": "Other"})
        (event,) = told
        assert (event.type, event.object["status"]) == ("MODIFIED", {"phase": "Ready"})
        assert event.object["metadata"]["generation"] == 1

    def test_a_namespace_takes_its_objects_with_it(self, cluster: Cluster) -> None:
        cluster.create_namespace("ml")
        cluster.create(MODELS, "ml", model("m"))
        cluster.create(MODELS, "default", model("m"))
        cluster.delete(NAMESPACES, "", "ml")
        assert [item["metadata"]["namespace"] for item in cluster.list(MODELS).items] == ["default"]
        assert "ml" not in [item["metadata"]["name"] for item in cluster.list(NAMESPACES).items]

    def test_a_namespace_waits_for_finalizers_and_takes_nothing_new(self, cluster: Cluster) -> None:
        cluster.create_namespace("ml")
        cluster.create(MODELS, "ml", model("m", finalizers=["a.b/c"]))
        assert cluster.delete(NAMESPACES, "", "ml")["status"] == {"phase": "Terminating"}
        with pytest.raises(Refused, match="because it is being terminated"):
            cluster.create(MODELS, "ml", model("n"))
        cluster.patch(MODELS, "ml", "m", {"metadata": {"finalizers": None}})
        with pytest.raises(Refused, match='namespaces "ml" not found'):
            cluster.get(NAMESPACES, "", "ml")

    def test_a_dry_run_leaves_no_trace(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m", finalizers=["a.b/c"]))
        version = cluster.version
        assert "resourceVersion" not in cluster.create(MODELS, "default", model("n"), dry_run=True)["metadata"]
        patched = cluster.patch(MODELS, "default", "m", {"spec": {"modelName": "x"}}, dry_run=True)
        assert (patched["spec"], patched["metadata"]["resourceVersion"]) == ({"modelName": "x"}, str(version))
        cluster.delete(MODELS, "default", "m", dry_run=True)
        cluster.delete(NAMESPACES, "", "default", dry_run=True)
        assert cluster.version == version
        (left,) = cluster.list(MODELS).items
        assert (left["spec"], left["metadata"].get("deletionTimestamp")) == ({"modelName": "m"}, None)


class TestTooOld:
    def test_a_watch_from_a_forgotten_version_is_told_410_in_its_first_event(self, cluster: Cluster) -> None:
        start = cluster.version
        for number in range(10):
            cluster.create(MODELS, "default", model(f"m-{number}"))
        told: list[Event] = []
        cluster.watch(MODELS, told.append, since=start)
        assert len(told) == 10
        cluster.create(MODELS, "default", model("one-too-many"))
        with pytest.raises(Refused, match=f"too old resource version: {start} ") as caught:
            cluster.watch(MODELS, told.append, since=start)
        assert (caught.value.code, caught.value.reason) == (410, "Expired")

    def test_a_list_cannot_go_on_from_a_forgotten_version(self, cluster: Cluster) -> None:
        for name in "abc":
            cluster.create(MODELS, "default", model(name))
        _, page = ask(cluster, MODELS_PATH, limit="1")
        for number in range(11):
            cluster.create(MODELS, "default", model(f"m-{number}"))
        status, refusal = ask(cluster, MODELS_PATH, limit="1", **{"continue": page["metadata"]["continue"]})
        assert (status, refusal["reason"]) == (410, "Expired")

    def test_a_list_that_goes_on_names_the_version_of_its_first_page(self, cluster: Cluster) -> None:
        for name in "ab":
            cluster.create(MODELS, "default", model(name))
        _, first = ask(cluster, MODELS_PATH, limit="1")
        cluster.create(MODELS, "default", model("c"))
        _, second = ask(cluster, MODELS_PATH, **{"continue": first["metadata"]["continue"]})
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


class TestRequests:
    def test_a_watch_of_a_namespace_is_not_told_of_others(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "kube-public", model("a"))
        cluster.create(MODELS, "default", model("b"))
        watch = answer(cluster, TOKENS, Request("GET", MODELS_PATH, {"watch": "true"}, token="a"))
        assert isinstance(watch, Watch)
        assert [event["object"]["metadata"]["name"] for event in lines(cluster, watch)] == ["b"]

    def test_only_the_first_event_of_a_table_watch_has_column_definitions(self, cluster: Cluster) -> None:
        for name in "ab":
            cluster.create(MODELS, "default", model(name))
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        watch = answer(cluster, TOKENS, Request("GET", MODELS_PATH, {"watch": "1"}, accept=accept, token="a"))
        assert isinstance(watch, Watch)
        assert [bool(event["object"]["columnDefinitions"]) for event in lines(cluster, watch)] == [True, False]

    def test_the_first_media_type_that_can_be_served_is(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m"))
        table = "application/json;as=Table;v=v1;g=meta.k8s.io"
        for accept, kind in (
            (f"{table},application/json", "Table"),
            (f"application/json,{table}", "ModelList"),
            ("application/vnd.kubernetes.protobuf,application/json", "ModelList"),
            ("application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io,*/*", "ModelList"),
            ("", "ModelList"),
        ):
            given = answer(cluster, TOKENS, Request("GET", MODELS_PATH, {}, accept=accept, token="a"))
            assert isinstance(given, Answer)
            assert json.loads(given.body)["kind"] == kind, accept

    def test_a_caller_who_reads_no_json_changes_nothing(self, cluster: Cluster) -> None:
        body = json.dumps(model("m")).encode()
        given = answer(cluster, TOKENS, Request("POST", MODELS_PATH, {}, body, accept="text/plain", token="a"))
        assert isinstance(given, Answer)
        assert (given.status, len(cluster.list(MODELS).items)) == (406, 0)

    def test_a_table_row_carries_as_much_of_its_object_as_is_asked_for(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m"))
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        for include, carried in (("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Model")):
            request = Request("GET", MODELS_PATH, {"includeObject": include}, accept=accept, token="a")
            given = answer(cluster, TOKENS, request)
            assert isinstance(given, Answer)
            (row,) = json.loads(given.body)["rows"]
            assert row.get("object", {}).get("kind") == carried

    def test_objects_are_only_reached_in_a_namespace_and_lists_everywhere(self, cluster: Cluster) -> None:
        assert ask(cluster, f"{MODELS.path}/models")[0] == 200
        for method, path in (
            ("POST", f"{MODELS.path}/models"),
            ("GET", f"{MODELS.path}/models/m"),
            ("GET", "/apis/sagemaker.services.k8s.aws/v2/namespaces/default/models"),
            ("GET", f"{MODELS_PATH}/m/scale"),
        ):
            given = answer(cluster, TOKENS, Request(method, path, {}, token="a"))
            assert given == Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")

    def test_deletion_options_in_the_body_count(self, cluster: Cluster) -> None:
        cluster.create(MODELS, "default", model("m"))
        options = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}).encode()
        given = answer(
            cluster, TOKENS, Request("DELETE", f"{MODELS_PATH}/m", {}, options, "application/json", token="a")
        )
        assert isinstance(given, Answer)
        assert given.status == 200
        assert cluster.get(MODELS, "default", "m")


class TestAccess:
    @pytest.mark.parametrize(
        ("request_line", "said"),
        [
            ("GET /", {"verb": "get"}),
            ("GET /apis/g/v1", {"verb": "get"}),
            ("GET /api/v1/namespaces", {"verb": "list", "resource": "namespaces"}),
            ("GET /api/v1/namespaces/ml", {"verb": "get", "namespace": "ml", "resource": "namespaces", "name": "ml"}),
            (
                "PUT /api/v1/namespaces/ml/status",
                {"verb": "update", "namespace": "ml", "resource": "namespaces", "name": "ml", "subresource": "status"},
            ),
            ("GET /api/v1/namespaces/ml/events", {"verb": "list", "namespace": "ml", "resource": "events"}),
            (
                "DELETE /apis/g/v1/namespaces/ml/things",
                {"verb": "deletecollection", "group": "g", "namespace": "ml", "resource": "things"},
            ),
            (
                "PATCH /apis/g/v1/namespaces/ml/things/a%20b/status",
                {
                    "verb": "patch",
                    "group": "g",
                    "namespace": "ml",
                    "resource": "things",
                    "name": "a b",
                    "subresource": "status",
                },
            ),
            ("POST /apis/g/v1/things", {"verb": "create", "group": "g", "resource": "things"}),
        ],
    )
    def test_a_path_says_what_is_asked_for(self, request_line: str, said: dict[str, str]) -> None:
        method, path = request_line.split()
        version = {"version": "v1"} if "resource" in said else {}
        assert access.read(method, path, watch=False) == Attributes(path=path, **version, **said)

    def test_a_list_that_is_watched_is_another_verb(self) -> None:
        assert access.read("GET", "/api/v1/namespaces/ml/events", watch=True).verb == "watch"
        assert access.read("GET", "/api/v1/namespaces/ml/events/e", watch=True).verb == "get"

    def test_a_viewer_may_discover_and_review_and_nothing_else(self) -> None:
        review = Attributes("create", "", "authorization.k8s.io", "v1", "", "selfsubjectaccessreviews")
        for attributes, admin, viewer, anonymous in (
            (Attributes("get", "/version"), True, True, True),
            (Attributes("get", "/apis/g/v1"), True, True, False),
            (Attributes("get", "/apisx"), True, False, False),
            (Attributes("post", "/version"), True, False, False),
            (review, True, True, False),
            (Attributes("list", "", "", "v1", "", "namespaces"), True, False, False),
        ):
            rights = [access.allowed(user, attributes) for user in (ADMIN, VIEWER, ANONYMOUS)]
            assert rights == [admin, viewer, anonymous], attributes

    def test_a_review_answers_for_the_attributes_it_names(self, cluster: Cluster) -> None:
        for spec, allowed in (
            ({"resourceAttributes": {"verb": "list", "group": "g", "resource": "things"}}, False),
            ({"nonResourceAttributes": {"verb": "get", "path": "/version"}}, True),
        ):
            body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            given = answer(cluster, TOKENS, Request("POST", path, {}, json.dumps(body).encode(), token="v"))
            assert isinstance(given, Answer)
            assert (given.status, json.loads(given.body)["status"]) == (201, {"allowed": allowed})


class TestPatches:
    @pytest.mark.parametrize(
        ("value", "patch", "merged"),
        [
            # The cases of RFC 7396, appendix A, that differ in kind.
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"a": "foo"}, "bar", "bar"),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ],
    )
    def test_merge_patch(self, value: Any, patch: Any, merged: Any) -> None:
        assert patches.merge(value, patch) == merged

    @pytest.mark.parametrize(
        ("value", "operation", "patched"),
        [
            # RFC 6902, appendix A.
            ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"foo": "bar", "baz": "qux"}),
            ({"foo": ["a", "c"]}, {"op": "add", "path": "/foo/1", "value": "b"}, {"foo": ["a", "b", "c"]}),
            ({"foo": ["a"]}, {"op": "add", "path": "/foo/-", "value": ["b"]}, {"foo": ["a", ["b"]]}),
            ({"foo": ["a", "b"]}, {"op": "remove", "path": "/foo/0"}, {"foo": ["b"]}),
            ({"foo": "a"}, {"op": "replace", "path": "/foo", "value": "b"}, {"foo": "b"}),
            ({"foo": {"a": 1}, "b": {}}, {"op": "move", "from": "/foo/a", "path": "/b/c"}, {"foo": {}, "b": {"c": 1}}),
            ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
            ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
            ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),
            ({"a": 1}, {"op": "replace", "path": "", "value": {"b": 2}}, {"b": 2}),
        ],
    )
    def test_json_patch(self, value: Any, operation: Mapping[str, Any], patched: Any) -> None:
        assert patches.apply(value, [operation]) == patched

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "test", "path": "/a", "value": 2},
            {"op": "remove", "path": "/b"},
            {"op": "replace", "path": "/b", "value": 1},
            {"op": "add", "path": "/b/c", "value": 1},
            {"op": "add", "path": "/l/3", "value": 1},
            {"op": "add", "path": "/l/-1", "value": 1},
            {"op": "remove", "path": "/l/-1"},
            {"op": "frobnicate", "path": "/a"},
            {"path": "/a"},
            "no operation",
        ],
    )
    def test_a_json_patch_that_does_not_fit_changes_nothing(self, operation: Any) -> None:
        value = {"a": 1, "l": [1]}
        with pytest.raises(patches.BadPatch):
            patches.apply(value, [{"op": "add", "path": "/new", "value": 1}, operation])
        assert value == {"a": 1, "l": [1]}


class TestSelectors:
    @pytest.mark.parametrize("selector", ["a in", "a b", "a in b", "=b", "a,,b", "a>x", "a in (b", ","])
    def test_a_label_selector_that_cannot_be_read_is_refused(self, selector: str) -> None:
        with pytest.raises(selectors.BadSelector):
            selectors.labels(selector)

    def test_a_comparison_needs_a_number_on_both_sides(self) -> None:
        selects = selectors.labels("n>1")
        found = [value for value in ("0", "1", "2", "x") if selects({"metadata": {"labels": {"n": value}}})]
        assert found == ["2"]
        assert not selects({"metadata": {}})


class TestTables:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-2, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"),
            (600, "10m"), (659, "10m"), (10_799, "179m"), (10_800, "3h"), (11_100, "3h5m"), (28_799, "7h59m"),
            (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (176_400, "2d1h"), (691_199, "7d23h"), (691_200, "8d"),
            (63_071_999, "729d"), (63_072_000, "2y"), (63_158_400, "2y1d"), (252_288_000, "8y"),
        ],
    )  # fmt: skip
    def test_durations_are_written_as_kubectl_writes_them(self, seconds: int, text: str) -> None:
        assert tables.human_duration(seconds) == text


class TestProtobuf:
    REVIEW = bytes.fromhex(
        "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f763112"
        "1753656c665375626a656374416363657373526576696577125d0a100a001200"
        "1a0022002a0032003800420012"
        "3f0a3d0a0764656661756c7412046c6973741a18736167656d616b65722e6177"
        "732e616d617a6f6e2e636f6d22002a0c747261696e696e676a6f627332003a00"
        "1a0808001200"
        "1a0020001a002200"
    )
    """What kubectl 1.37.1 sends for `auth can-i list trainingjobs.sagemaker.aws.amazon.com`."""

    def test_a_review_of_kubectls_is_read(self) -> None:
        assert protobuf.read(self.REVIEW) == {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {
                "resourceAttributes": {
                    "namespace": "default",
                    "verb": "list",
                    "group": "sagemaker.aws.amazon.com",
                    "resource": "trainingjobs",
                }
            },
        }

    @pytest.mark.parametrize("cut", [0, 3, 5, 20, 100])
    def test_what_is_cut_short_or_something_else_is_refused(self, cut: int) -> None:
        with pytest.raises(protobuf.Unreadable):
            protobuf.read(self.REVIEW[:cut])
        with pytest.raises(protobuf.Unreadable):
            protobuf.read(self.REVIEW.replace(b"SelfSubject", b"SelfXubject"))


class TestServer:
    def test_a_certificate_holds_for_loopback_and_nothing_else(self) -> None:
        made = certificate.make(datetime.now(UTC))

        def shake_hands(name: str) -> None:
            client_context = ssl.create_default_context(cadata=made.certificate)
            client_context.verify_flags |= ssl.VERIFY_X509_STRICT
            to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
            server = made.context().wrap_bio(to_server, to_client, server_side=True)
            for _ in range(3):
                for side in (client, server):
                    try:
                        side.do_handshake()
                    except ssl.SSLWantReadError:
                        continue
            assert client.version() == "TLSv1.3"

        shake_hands("127.0.0.1")
        shake_hands("localhost")
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands("192.0.2.1")

    def test_it_listens_on_loopback_only_and_watches_do_not_hold_up_its_end(self, cluster: Cluster) -> None:
        async def run() -> bytes:
            async with serve(cluster, TOKENS) as server:
                port = int(server.url.rpartition(":")[2])
                with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                    socket.create_connection(("127.0.0.2", port), timeout=1)
                context = ssl.create_default_context(cadata=server.authority)
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                writer.write(
                    f"GET {MODELS_PATH}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n\r\n".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
                cluster.create(MODELS, "default", model("m"))
                assert b"ADDED" in await reader.readuntil(b"\n\r\n")
            writer.close()
            return head

        assert asyncio.run(asyncio.wait_for(run(), 30)).startswith(b"HTTP/1.1 200")

    def test_a_kubeconfig_has_an_admin_and_a_viewer(self) -> None:
        import yaml

        async def run() -> str:
            async with serve(Cluster(now=lambda: 0.0), TOKENS) as server:
                return kubeconfig(server, admin="a", viewer="v")

        config = yaml.safe_load(asyncio.run(run()))
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        users = {entry["name"]: entry["user"]["token"] for entry in config["users"]}
        assert config["current-context"] == "sandbox"
        assert {name: (context["namespace"], users[context["user"]]) for name, context in contexts.items()} == {
            "sandbox": ("default", "a"),
            "viewer": ("ml", "v"),
        }
