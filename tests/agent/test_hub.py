"""Models and data of a hub: fetched once for all runs, and every refusal in words that help."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.agent.launching import Bench
from tests.harness.hub import LARGE, TOKEN, Hub, Repository
from tests.harness.tls import make_certificate
from trainjobs.core.uris import file_uri

NAME = "org/name"


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {
        "config.json": b"{}",
        "tokenizer.json": b'{"version": "1.0"}',
        "model.safetensors": bytes(range(256)) * 200,
        "pytorch_model.bin": b"code" * LARGE,
        "consolidated.safetensors": b"twice" * LARGE,
    }
    rows = Repository({"data/train.jsonl": b'{"text": "good", "scores": {"quality": 1}}\n'})
    with Hub(models={NAME: Repository(files)}, datasets={"org/rows": rows}).serving() as served:
        yield served


@pytest.fixture
def bench(bench: Bench, hub: Hub) -> Bench:
    bench.recipe = {
        "model": {"uri": f"hf://{NAME}"},
        "dataset": {"train": "hf://org/rows/data/train.jsonl"},
    }
    bench.environment = {**hub.environment, "HF_HOME": str(bench.root / "home"), "HF_TOKEN": ""}
    bench.command = [*bench.command, "--steps=1", "--step-seconds=0"]
    return bench


def test_what_one_run_fetched_is_not_fetched_again(bench: Bench, hub: Hub) -> None:
    assert bench.run().code == 0
    assert bench.run(attempt=2).code == 0
    another = replace(bench, root=bench.root / "another", store="")
    assert another.run().code == 0
    assert [hub.downloads(name) for name in ("model.safetensors", "config.json", "data/train.jsonl")] == [
        1,
        1,
        1,
    ]
    assert [hub.downloads(name) for name in ("pytorch_model.bin", "consolidated.safetensors")] == [0, 0]


def test_the_message_of_a_fetch_names_the_commit(bench: Bench, hub: Hub) -> None:
    assert f"hf://{NAME} is commit {hub.models[NAME].commit}" in bench.run().output


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({"HF_HOME": "{root}/a"}, "a/hub"),
        ({"HF_HOME": "{root}/a", "HF_HUB_CACHE": "{root}/b"}, "b"),
        ({"HOME": "{root}/c"}, "c/.cache/huggingface/hub"),
        ({"HOME": "{root}/c", "XDG_CACHE_HOME": "{root}/d"}, "d/huggingface/hub"),
    ],
)
def test_the_cache_is_the_one_of_all_programs_of_the_hub(
    bench: Bench, variables: dict[str, str], cache: str
) -> None:
    places = {name: value.format(root=bench.root) for name, value in variables.items()}
    del bench.environment["HF_HOME"]
    bench.environment |= places
    assert bench.run().code == 0
    assert (bench.root / cache / "models--org--name").is_dir()


def test_a_copy_serves_without_the_hub(bench: Bench, hub: Hub) -> None:
    assert bench.run().code == 0
    asked = len(hub.asked)
    bench.environment["HF_HUB_OFFLINE"] = "1"
    assert bench.run(attempt=2).code == 0
    assert len(hub.asked) == asked
    bench.environment |= {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": _nobody()}
    assert bench.run(attempt=3).code == 0


def test_a_file_that_breaks_off_is_gone_on_with(bench: Bench, hub: Hub) -> None:
    hub.cuts = 1
    assert bench.run().code == 0
    assert hub.downloads("model.safetensors") == 2
    weights = next((bench.root / "home" / "hub").rglob("model.safetensors"))
    assert weights.read_bytes() == hub.models[NAME].files["model.safetensors"]


def test_a_mirror_is_asked_by_the_plain_protocol(bench: Bench, hub: Hub) -> None:
    hub.xet = True
    finished = bench.run()
    assert finished.code == 0, finished.output
    assert hub.downloads("model.safetensors") == 1
    assert not [one for one in hub.asked if "xet" in one]


def test_of_a_tokenizers_repository_no_weights_are_fetched(bench: Bench, hub: Hub) -> None:
    hub.models["org/words"] = Repository({**hub.models[NAME].files, "model.safetensors": b"w" * LARGE})
    bench.recipe["model"] = {"uri": file_uri(bench.root / "model"), "tokenizerUri": "hf://org/words"}
    assert bench.run().code == 0
    assert [hub.downloads(name) for name in ("tokenizer.json", "model.safetensors")] == [1, 0]


def test_a_token_opens_what_is_private(bench: Bench, hub: Hub) -> None:
    hub.models[NAME].private = True
    bench.environment["HF_TOKEN"] = TOKEN
    assert bench.run().code == 0


@pytest.mark.parametrize(
    ("uri", "token", "code", "words"),
    [
        ("hf://org/none", TOKEN, 12, "not found on the hub; check the name"),
        ("hf://org/private", "", 12, "set HF_TOKEN if the repository is private"),
        ("hf://org/gated", TOKEN, 13, "access has to be granted first"),
        ("hf://org/gated", "", 13, "access has to be granted first"),
        (f"hf://{NAME}", "hf_expired", 13, "the hub does not accept the token in HF_TOKEN"),
        (f"hf://{NAME}@v9", "", 12, "not found on the hub; check the revision v9"),
        (f"hf://{NAME}/none", "", 12, "there is no none in the repository"),
        ("hf://org/na--me", "", 10, "Cannot have -- or .."),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_to_do(
    bench: Bench, hub: Hub, uri: str, token: str, code: int, words: str
) -> None:
    files = hub.models[NAME].files
    hub.models |= {"org/private": Repository(files, private=True), "org/gated": Repository(files, gated=True)}
    bench.recipe["model"] = {"uri": uri}
    bench.environment["HF_TOKEN"] = token
    finished = bench.run()
    assert finished.code == code, finished.output
    assert f"spec.baseModel.uri: {uri}: " in finished.record.message
    assert words in finished.record.message
    assert finished.record.message.count("\n") == 0


@pytest.mark.parametrize(
    ("answers", "words"),
    [(503, "answers 503"), (429, "answers 429 Too Many Requests (known users may ask more often: HF_TOKEN)")],
)
def test_a_hub_that_answers_nothing_useful_is_tried_again(
    bench: Bench, hub: Hub, answers: int, words: str
) -> None:
    hub.answers = answers
    finished = bench.run()
    assert (finished.code, finished.record.reason) == (32, "HubUnavailable")
    assert f"the hub at {hub.url} {words}" in finished.record.message


def test_what_is_no_hub_is_said(bench: Bench, hub: Hub) -> None:
    hub.page = b"<html>Please sign in to the network.</html>"
    finished = bench.run()
    assert finished.code == 32, finished.output
    assert f"the hub at {hub.url} does not answer as a hub does" in finished.record.message


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"HF_ENDPOINT": "{nobody}"}, "the hub at {nobody} cannot be reached ("),
        ({"HTTP_PROXY": "http://me:secret@{nobody_bare}", "NO_PROXY": ""}, "by the proxy {nobody} ("),
        ({"HF_ENDPOINT": "http://me:secret@{nobody_bare}"}, "the hub at {nobody} cannot be reached ("),
    ],
)
def test_a_hub_that_is_away_is_told_with_its_address(
    bench: Bench, variables: dict[str, str], words: str
) -> None:
    nobody = _nobody()
    places = {"nobody": nobody, "nobody_bare": nobody.removeprefix("http://")}
    bench.environment |= {name: value.format(**places) for name, value in variables.items()}
    finished = bench.run()
    assert finished.code == 32, finished.output
    assert words.format(**places) in finished.record.message
    assert "secret" not in finished.output + finished.record.message
    assert "HF_ENDPOINT" in finished.record.advice


def test_a_hub_whose_authority_nobody_knows_is_reached_with_it(bench: Bench, hub: Hub) -> None:
    tls = make_certificate(bench.root)
    with Hub(models=hub.models, datasets=hub.datasets).serving(tls) as secured:
        bench.environment["HF_ENDPOINT"] = secured.url
        finished = bench.run()
        assert finished.code == 32, finished.output
        assert "CERTIFICATE_VERIFY_FAILED" in finished.record.message
        bench.environment["SSL_CERT_FILE"] = str(tls.authority)
        assert bench.run(attempt=2).code == 0


def test_without_a_network_and_a_copy_nothing_is_tried_again(bench: Bench) -> None:
    bench.environment["HF_HUB_OFFLINE"] = "1"
    finished = bench.run()
    assert finished.code == 12, finished.output
    assert "HF_HUB_OFFLINE is set, and" in finished.record.message
    assert f"(hf download {NAME})" in finished.record.message


def _nobody() -> str:
    """An address that nobody serves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
