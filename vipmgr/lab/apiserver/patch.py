"""What a PATCH does to an object: JSON merge patch (RFC 7396), JSON patch (RFC 6902), strategic merge patch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import jsonpatch

from vipmgr.lab.apiserver.errors import Object, StatusError, bad_request, unsupported_media_type
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.strategic import strategic_merge

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"


def patched(kind: Kind, body: Object, patch: Any, media_type: str) -> Object:
    """A new object. 415 for a media type this kind does not take, 400 for a patch of the wrong shape."""
    accepted = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH, *([] if kind.custom else [STRATEGIC_PATCH])]
    if media_type not in accepted:
        raise unsupported_media_type(accepted)
    if media_type == JSON_PATCH:
        return _json_patched(body, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch must be a JSON object")
    if media_type == MERGE_PATCH:
        return merged(body, patch)
    return strategic_merge(kind, body, patch)


def merged(target: Any, patch: Mapping[str, Any]) -> Object:
    """RFC 7396: null removes, an object merges, anything else replaces."""
    result: Object = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name), value)
        else:
            result[name] = value
    return result


def _json_patched(body: Object, patch: Any) -> Object:
    if not isinstance(patch, list):
        raise bad_request("a JSON patch must be a list of operations")
    try:
        result = jsonpatch.apply_patch(copy.deepcopy(body), patch)
    except jsonpatch.InvalidJsonPatch as error:
        raise bad_request(str(error)) from error
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise StatusError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
        ) from error
    if not isinstance(result, dict):
        raise bad_request("the patched document is not an object")
    return result
