"""One look at an object by its row's pass, with what AWS refuses told in the object's status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubectl_sagemaker.errors import Invalid, NotFound, Unavailable
from kubectl_sagemaker.operator import objects, place
from kubectl_sagemaker.operator.place import Refused

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Row


def look(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Look at an object; return when to look again (epoch seconds), None for not before it changes.

    Raise Refused, which the status then tells, for what is to be tried again later; errors.Error for the cluster's
    refusals, of which Conflict says that `thing` is not the newest.
    """
    try:
        try:
            return row.reconcile(row, thing, kube, aws, now)
        except Invalid as error:
            raise Refused(error) from error
    except Refused as refused:
        if objects.going(thing) and _nowhere(row, thing, aws, refused):
            objects.release(kube, row.api, thing, row.finalizer)
            return None
        lasting = not (refused.transient or refused.personal)
        try:
            # The pass may have written a status before it was refused.
            thing = kube.get(row.api, thing["metadata"]["namespace"], thing["metadata"]["name"])
        except NotFound:
            return None
        status = row.dialect.refused(row, _text(row, thing, aws, refused), lasting)
        objects.put_status(kube, row, thing, status, now=now, whole=False)
        if lasting and row.gives_up:
            return None
        raise


def _place(row: Row, thing: Object, aws: Aws) -> place.Place | None:
    """Where an object says that its job is; None where that is no place of AWS's."""
    try:
        return place.of(aws, thing, row)
    except Refused:
        return None


def _nowhere(row: Row, thing: Object, aws: Aws, refused: Refused) -> bool:
    """Whether nothing can be where an object says that its job is: no region of AWS's, no address of AWS's."""
    there = _place(row, thing, aws)
    return there is None or (isinstance(refused.error, Unavailable) and not there.known)


def _text(row: Row, thing: Object, aws: Aws, refused: Refused) -> str:
    """What AWS said, and that the region may be why, where it is none that botocore knows."""
    there = _place(row, thing, aws)
    if there is None or there.known:
        return refused.error.message
    return f"{there.region!r} is no region that is known here: {refused.error.message}"
