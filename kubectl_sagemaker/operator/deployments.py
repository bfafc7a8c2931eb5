"""The pass over a hosting deployment: an endpoint, and the sets of models and configurations that it is made of.

A set belongs to a generation of the spec. The endpoint goes from one to the next, and the old one is deleted then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.jobs import dig, first
from kubectl_sagemaker.kinds import LEGACY
from kubectl_sagemaker.operator import objects, parts, place, shapes
from kubectl_sagemaker.operator.place import Place, Refused

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Row

MODELS: Final = objects.APIS[f"models.{LEGACY.name}"]
CONFIGS: Final = objects.APIS[f"endpointconfigs.{LEGACY.name}"]
PARTS: Final = (CONFIGS, MODELS)
"""What a set is made of, in the order in which it is deleted."""
IN_SERVICE: Final = "InService"
FAILED: Final = "Failed"
STUCK: Final = "UpdateRollbackFailed"
"""In service with a mix of two configurations; unlike an endpoint that failed, it can be updated again."""
DELETING: Final = "Deleting"
SHARED: Final = ("region", "sageMakerEndpoint", "tags")
"""Properties that models and configurations have of their deployment."""
WAIT_SECONDS: Final = 5.0
REST_SECONDS: Final = 3600.0
"""Between two looks at what a list, or a watch, shows when it changes."""


def reconcile(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Bring the endpoint to what the spec says: a new set, the endpoint onto it, the old set away."""
    name = first(thing, row.api.job_name) or objects.generated(thing, row.name_limit)
    if objects.going(thing):
        return _end(row, thing, kube, aws, name, now)
    thing = objects.hold(kube, row, thing, {})
    there = place.of(aws, thing, row)
    if not thing.get("status"):
        thing = objects.put_status(kube, row, thing, {row.state: row.waiting, row.name_property: name}, now=now)
    _check(thing["spec"])
    answer = there.describe(row.kind.name, name)
    state = answer["EndpointStatus"] if answer else None
    if answer and state not in {IN_SERVICE, FAILED, STUCK}:
        # It can't be changed now; the list shows when it can, but not when somebody else has deleted it.
        objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer), now=now)
        return now + (WAIT_SECONDS if state == DELETING else REST_SECONDS)
    config = _set(row, thing, kube)
    if config is None:
        if answer:
            objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer), now=now)
        return now + REST_SECONDS  # the watch shows when the set is complete
    generation = thing["metadata"]["generation"]
    if answer is None:
        there.call(
            "CreateEndpoint", {**_asked(thing, "CreateEndpoint"), "EndpointName": name, "EndpointConfigName": config}
        )
        objects.event(kube, row, thing, "Created", f"Endpoint {name} in {there.region}", now=now)
    elif answer["EndpointConfigName"] == config:
        if state != STUCK:
            _clean(thing, kube)
        models = _models(thing, objects.owned(kube, MODELS, thing))
        objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer, models, generation), now=now)
        return now + REST_SECONDS
    elif state == FAILED:
        # What failed to be created can't be updated.
        there.call("DeleteEndpoint", {"EndpointName": name})
    elif dig(thing, "status.observedGeneration") == generation:
        # SageMaker was asked for this generation, and has gone back to the one before: asking again would fail again.
        status = _shown(row, thing, there, name, answer, generation=generation)
        status["additional"] = (
            f"the endpoint was not updated: {answer.get('FailureReason') or 'SageMaker rolled it back'}"
        )
        objects.put_status(kube, row, thing, status, now=now)
        return now + REST_SECONDS
    else:
        there.call(
            "UpdateEndpoint", {**_asked(thing, "UpdateEndpoint"), "EndpointName": name, "EndpointConfigName": config}
        )
        objects.event(kube, row, thing, "Updated", f"Endpoint {name} to generation {generation}", now=now)
    answer = there.describe(row.kind.name, name)
    if answer is None:
        return now + WAIT_SECONDS
    objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer, generation=generation), now=now)
    return now + REST_SECONDS


def _end(row: Row, thing: Object, kube: Kube, aws: Aws, name: str, now: float) -> float | None:
    """Delete the endpoint first, then its objects; let the deployment go when they have gone."""
    if row.finalizer not in objects.finalizers(thing):
        return None
    thing = objects.put_status(kube, row, thing, {row.state: DELETING}, now=now, whole=False)
    there = place.of(aws, thing, row)
    answer = there.describe(row.kind.name, name)
    if answer is not None:
        if answer["EndpointStatus"] != DELETING:
            there.find("DeleteEndpoint", {"EndpointName": name})
        return now + WAIT_SECONDS
    left = [(api, part) for api in PARTS for part in objects.owned(kube, api, thing)]
    for api, part in left:
        objects.remove(kube, api, part)
    if left:
        return now + WAIT_SECONDS
    objects.release(kube, row.api, thing, row.finalizer)
    return None


def _check(spec: Mapping[str, Any]) -> None:
    """Raise Refused for what can be seen to be wrong before anything is made."""
    names = [objects.object_name(model["name"]) for model in spec["models"]]
    for model, name in zip(spec["models"], names, strict=True):
        if names.count(name) > 1:
            raise Refused(Error(f"spec.models has {model['name']!r} twice; each model needs a name of its own"))
        containers = model.get("containers") or []
        hosts = [container.get("containerHostname") for container in containers]
        if len(containers) > 1 and not all(hosts):
            raise Refused(Error(f"model {model['name']!r} has several containers: each needs a containerHostname"))
        if twice := next((host for host in hosts if host and hosts.count(host) > 1), None):
            raise Refused(Error(f"model {model['name']!r} has two containers with the containerHostname {twice!r}"))
        primary = model.get("primaryContainer")
        if len(containers) == 1 and primary and primary != hosts[0]:
            raise Refused(
                Error(f"model {model['name']!r} has no container whose containerHostname is its primary {primary!r}")
            )
    for variant in _variants(spec):
        if variant.get("modelName") and variant["modelName"] not in {model["name"] for model in spec["models"]}:
            raise Refused(
                Error(
                    f"variant {variant['variantName']!r} names model {variant['modelName']!r}, which spec.models lacks"
                )
            )


VARIANTS: Final = ("productionVariants", "shadowProductionVariants")


def _variants(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [variant for member in VARIANTS for variant in spec.get(member) or ()]


def _set(row: Row, thing: Object, kube: Kube) -> str | None:
    """The generation's configuration in SageMaker; None while its objects are made, Refused if they can't be."""
    spec, metadata = thing["spec"], thing["metadata"]
    suffixes = (str(metadata["generation"]), metadata["uid"].replace("-", ""))
    shared = {name: spec[name] for name in SHARED if spec.get(name)}
    models = {part["metadata"]["name"]: part for part in objects.owned(kube, MODELS, thing)}
    named = {}
    for model in spec["models"]:
        name = objects.object_name(model["name"], *suffixes)
        if name in models:
            named[model["name"]] = _ready(models[name], "sageMakerModelName")
        else:
            objects.make(kube, MODELS, thing, row.api, name, {**shared, **_model(model)}, held=(objects.FINALIZER,))
            named[model["name"]] = None
    if None in named.values():
        return None
    name = objects.object_name(metadata["name"], *suffixes)
    for config in objects.owned(kube, CONFIGS, thing):
        if config["metadata"]["name"] == name:
            return _ready(config, "sageMakerEndpointConfigName")
    held = (objects.FINALIZER,)
    objects.make(kube, CONFIGS, thing, row.api, name, {**shared, **_config(spec, named)}, held=held)
    return None


def _ready(part: Object, name_property: str) -> str | None:
    """A part's name in SageMaker once it is there; raise Refused with its own trouble."""
    if dig(part, "status.status") == "Error":
        why, name = dig(part, "status.additional"), part["metadata"]["name"]
        raise Refused(Error(f"{part['kind']} {name} can't be created. Caused by: {why}"))
    return first(part, (f"status.{name_property}",)) if dig(part, "status.status") == parts.CREATED else None


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a Model object: one container is the primary one."""
    spec = {name: value for name, value in model.items() if name not in {"name", "primaryContainer"}}
    containers: Sequence[Mapping[str, Any]] = spec.get("containers") or ()
    if len(containers) == 1:
        spec["primaryContainer"] = spec.pop("containers")[0]
    return spec


def _config(spec: Mapping[str, Any], named: Mapping[str, str | None]) -> dict[str, Any]:
    """The spec of an EndpointConfig object: the members that it shares with the deployment's, by SageMaker's names."""
    shape = shapes.input_shape("sagemaker", "CreateEndpointConfig")
    known = {shapes.property_name(shape, member) for member in shape.members}
    config = {name: value for name, value in spec.items() if name in known}
    for member in VARIANTS:
        if member in config:
            config[member] = [
                {**variant, "modelName": named[variant["modelName"]]} if variant.get("modelName") else variant
                for variant in config[member]
            ]
    return config


def _asked(thing: Object, operation: str) -> dict[str, Any]:
    return shapes.request(shapes.input_shape("sagemaker", operation), {**thing["spec"], "endpointName": None})


def _clean(thing: Object, kube: Kube) -> None:
    """Delete the sets of other generations."""
    mark = f"-{thing['metadata']['generation']}-{thing['metadata']['uid'].replace('-', '')}"
    for api in PARTS:
        for part in objects.owned(kube, api, thing):
            if not part["metadata"]["name"].endswith(mark) and not objects.going(part):
                objects.remove(kube, api, part)


def _models(thing: Object, models: Sequence[Object]) -> list[dict[str, str]]:
    """The current set's models: their names in the spec with those in SageMaker."""
    suffixes = (str(thing["metadata"]["generation"]), thing["metadata"]["uid"].replace("-", ""))
    there = {model["metadata"]["name"]: first(model, ("status.sageMakerModelName",)) for model in models}
    return [
        {"name": model["name"], "value": there.get(objects.object_name(model["name"], *suffixes)) or ""}
        for model in thing["spec"]["models"]
    ]


def _shown(
    row: Row,
    thing: Object,
    there: Place,
    name: str,
    answer: Mapping[str, Any],
    models: list[dict[str, str]] | None = None,
    generation: int | None = None,
) -> dict[str, Any]:
    """The status of an endpoint that SageMaker has; models and generation stay what they were unless given."""
    old = thing.get("status") or {}
    return {
        row.name_property: name,
        **shapes.properties(row.described, answer, only=row.shown),
        "endpointUrl": f"https://runtime.sagemaker.{there.region}.{place.dns_suffix(there.region)}/endpoints/{name}/invocations",
        "modelNames": models or old.get("modelNames"),
        "observedGeneration": generation or old.get("observedGeneration"),
    }
