"""What an API server's answers mean."""

import json

import pytest

from trainjobs.kube import errors
from trainjobs.kube.resources import PODS, PYTORCHJOBS, RUNS


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (403, "Forbidden", errors.Forbidden),
        (401, "Unauthorized", errors.Forbidden),
        (422, "Invalid", errors.Invalid),
        (400, "BadRequest", errors.Invalid),
        (413, "RequestEntityTooLarge", errors.Invalid),
        (429, "TooManyRequests", errors.Unreachable),
        (500, "InternalError", errors.Unreachable),
        (503, "ServiceUnavailable", errors.Unreachable),
    ],
)
def test_an_answer_becomes_its_error_with_the_servers_own_words(
    status: int, reason: str, expected: type[errors.KubeError]
):
    body = json.dumps({"kind": "Status", "reason": reason, "message": "said so"}).encode()
    error = errors.error_of(status, body, "GET /x")
    assert type(error) is expected
    assert (str(error), error.said) == ("GET /x: said so", "said so")


def test_a_namespace_that_is_being_deleted_is_told_from_a_missing_right():
    details = {"causes": [{"reason": "NamespaceTerminating"}]}
    body = json.dumps({"reason": "Forbidden", "message": "no", "details": details}).encode()
    assert type(errors.error_of(403, body, "POST /x")) is errors.NamespaceTerminating


def test_an_owner_whose_kind_is_not_known_yet_is_not_a_lack_of_rights():
    message = (
        'pytorchjobs.kubeflow.org "x" is forbidden: cannot set blockOwnerDeletion in this case because '
        "cannot find RESTMapping for APIVersion trainjobs.dev/v1alpha1 Kind SFTRun: no matches for kind"
    )
    body = json.dumps({"reason": "Forbidden", "message": message}).encode()
    assert type(errors.error_of(403, body, "POST /x")) is errors.Unreachable


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize(
    "said",
    [
        'admission webhook "images.example.com" denied the request: not from our registry',
        "pytorchjobs.kubeflow.org \"x\" is forbidden: ValidatingAdmissionPolicy 'owners' with binding 'all' "
        "denied request: failed expression: has(object.metadata.labels)",
    ],
)
def test_a_webhook_and_a_policy_that_say_no_are_told_from_a_rule_of_the_kind(status: int, said: str):
    error = errors.error_of(status, json.dumps({"message": said}).encode(), "POST /x")
    assert (type(error), error.said) == (errors.Denied, said)


def test_a_webhook_that_does_not_answer_says_nothing_of_the_object():
    said = 'Internal error occurred: failed calling webhook "images.example.com": connection refused'
    assert type(errors.error_of(500, json.dumps({"message": said}).encode(), "POST /x")) is errors.Unreachable


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
def test_what_no_api_server_says_is_no_crash(body: bytes):
    assert isinstance(errors.error_of(502, body, "GET /x"), errors.Unreachable)


def test_every_object_has_its_address():
    assert PODS.path("a", "b", "status") == "/api/v1/namespaces/a/pods/b/status"
    assert PYTORCHJOBS.path(None) == "/apis/kubeflow.org/v1/pytorchjobs"
    assert RUNS["SFTRun"].path("a", "../b") == "/apis/trainjobs.dev/v1alpha1/namespaces/a/sftruns/..%2Fb"
