"""Settings come from the variables that every AWS tool reads, and wrong ones are named."""

import pytest

from trainjobs.errors import InvalidRecipe
from trainjobs.storage.settings import MIB, Addressing, StorageSettings


def test_the_settings_of_an_empty_environment_are_those_of_aws():
    settings = StorageSettings.from_environment({"AWS_ENDPOINT_URL": ""})
    assert (settings.endpoint, settings.region, settings.ca_bundle) == (None, None, None)


def test_the_more_special_variable_wins():
    settings = StorageSettings.from_environment(
        {
            "AWS_ENDPOINT_URL": "https://all.example",
            "AWS_ENDPOINT_URL_S3": "https://s3.example",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_REGION": "eu-central-1",
            "AWS_CA_BUNDLE": "/etc/ca.pem",
            "TRAINJOBS_S3_ADDRESSING": "virtual",
        }
    )
    assert settings.endpoint == "https://s3.example"
    assert settings.region == "eu-central-1"
    assert settings.ca_bundle == "/etc/ca.pem"
    assert settings.addressing is Addressing.VIRTUAL


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"AWS_ENDPOINT_URL": "s3.example:9000"},
            r"storage endpoint 's3\.example:9000': must start with http",
        ),
        ({"TRAINJOBS_S3_ADDRESSING": "dns"}, "TRAINJOBS_S3_ADDRESSING: 'dns' is not 'path' or 'virtual'"),
    ],
)
def test_a_wrong_value_is_named(environment: dict[str, str], message: str):
    with pytest.raises(InvalidRecipe, match=message):
        StorageSettings.from_environment(environment)


def test_bounds_that_cannot_work_are_refused():
    with pytest.raises(InvalidRecipe, match="at least 5 MiB"):
        StorageSettings(part_bytes=MIB)
    with pytest.raises(InvalidRecipe, match="at least two parts"):
        StorageSettings(memory_bytes=8 * MIB)
