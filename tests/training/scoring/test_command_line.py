"""`trainjobs score` and `trainjobs evaluate` on files, streams and bad input."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainjobs.cli import evaluate, score
from trainjobs.errors import TrainjobsError
from trainjobs.ml.scoring import RewardModel

ROWS = [
    {
        "id": index,
        "system_prompt": "财务",
        "input_data": {"净利率": index},
        "report": "净利率为 " + "ab 12 " * index,
    }
    for index in range(8)
]


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


def run(verb: str, *arguments: object, stdin: str = "") -> Ended:
    """The verb in this process, which has torch already; errors end it as `run_program` ends them."""
    app = {"score": score.app, "evaluate": evaluate.app}[verb]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if isinstance(done.exception, TrainjobsError):
        return Ended(done.exception.exit_code, done.stdout, f"error: {done.exception}")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    # Written by hand, so that a filter that writes rows anew would be seen: two spaces, no space, 1.50.
    lines = [json.dumps(row, ensure_ascii=False).replace('"id": ', '"id":  ') for row in ROWS]
    lines[3] = lines[3].replace('{"净利率": 3}', '{"净利率": 1.50}')
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def test_one_report_as_json(model_folder: Path, model: RewardModel, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps(ROWS[2], ensure_ascii=False, indent=2), encoding="utf-8")
    done = run("score", model_folder, report, "--output", "json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    expected = model.score_report(
        system_prompt="财务", input_data={"净利率": 2}, report=str(ROWS[2]["report"])
    )
    assert printed["scores"] == pytest.approx(dict(expected.scores), abs=1e-4)
    assert printed["overall_score"] == pytest.approx(expected.overall_score, abs=1e-4)
    assert printed["grade"] == expected.grade


def test_a_filter_keeps_whole_rows_as_they_came_and_counts_them(
    model_folder: Path, rows: Path, tmp_path: Path
) -> None:
    scored = run("score", model_folder, rows, "--output", "json").stdout.splitlines()
    scores = [json.loads(line)["overall_score"] for line in scored]
    assert len(scores) == len(ROWS)
    limit = sum(sorted(scores)[3:5]) / 2
    done = run("score", model_folder, rows, "--min-overall", limit, "--to", tmp_path / "kept.jsonl")
    assert done.returncode == 0, done.stderr
    assert "kept 4 of 8 rows" in done.stderr
    lines = rows.read_text(encoding="utf-8").splitlines()
    wanted = [line for line, value in zip(lines, scores, strict=False) if value >= limit]
    assert (tmp_path / "kept.jsonl").read_text(encoding="utf-8").splitlines() == wanted
    piped = run("score", model_folder, "-", "--min-overall", limit, stdin=rows.read_text(encoding="utf-8"))
    assert piped.stdout.splitlines() == wanted


def test_rows_are_known_by_their_ids_in_the_output(model_folder: Path, rows: Path, tmp_path: Path) -> None:
    scored = [json.loads(line) for line in run("score", model_folder, rows, "-o", "json").stdout.splitlines()]
    assert [(one["id"], one["where"]) for one in scored][2:4] == [
        (2, "rows.jsonl line 3"),
        (3, "rows.jsonl line 4"),
    ]
    assert run("score", model_folder, rows).stdout.splitlines()[2].startswith("rows.jsonl line 3  2  ")
    data = tmp_path / "test.jsonl"
    given = {"scores": {"accuracy": 1, "professionalism": 2, "depth_of_analysis": 3}}
    data.write_text("".join(json.dumps({**row, **given}) + "\n" for row in ROWS))
    done = run("evaluate", model_folder, "--data", data, "--predictions", tmp_path / "p.jsonl")
    assert done.returncode == 0, done.stderr
    predicted = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [one["id"] for one in predicted] == [row["id"] for row in ROWS]


def test_scores_stand_beside_rows_that_are_otherwise_as_they_came(
    model_folder: Path, rows: Path, tmp_path: Path
) -> None:
    plain = [json.loads(line) for line in run("score", model_folder, rows, "-o", "json").stdout.splitlines()]
    target = tmp_path / "beside.jsonl"
    done = run("score", model_folder, rows, "--with-scores", "--to", target)
    assert done.returncode == 0, done.stderr
    lines = target.read_text(encoding="utf-8").splitlines()
    for line, came, alone in zip(lines, rows.read_text(encoding="utf-8").splitlines(), plain, strict=False):
        assert line.startswith(came.removesuffix("}"))
        assert json.loads(line)["predicted"]["scores"] == alone["scores"]
    limit = sorted(one["overall_score"] for one in plain)[4]
    kept = run("score", model_folder, rows, "--with-scores", "--min-overall", limit).stdout.splitlines()
    assert kept == [line for line, one in zip(lines, plain, strict=True) if one["overall_score"] >= limit]
    again = run("score", model_folder, target, "--with-scores")
    assert (again.returncode, "beside.jsonl line 1: predicted stands there already" in again.stderr) == (
        11,
        True,
    )


@pytest.mark.parametrize("verb", ["score", "evaluate"])
def test_what_is_read_is_never_replaced(verb: str, model_folder: Path, rows: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.hardlink_to(rows)
    before = rows.read_bytes()
    for target in (rows, link, rows.parent / ".." / rows.parent.name / rows.name):
        arguments = (
            [rows, "--to", target] if verb == "score" else ["--data", rows.parent, "--predictions", target]
        )
        done = run(verb, model_folder, *arguments)
        if verb == "score" or target != link:
            assert (done.returncode, "it is read, too, and would be replaced" in done.stderr) == (2, True)
    assert rows.read_bytes() == before


def test_a_text_that_is_not_utf_8_is_refused(model_folder: Path) -> None:
    done = run(
        "score", model_folder, "--text", "good", "--text", b"caf\xe9".decode("utf-8", "surrogateescape")
    )
    assert (done.returncode, done.stderr) == (
        2,
        "error: --text 2: not UTF-8 (character 4); give it in UTF-8, or in a file",
    )


def test_cuts_are_said_where_rows_are_kept_too(model_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({**ROWS[1], "input_data": "ab 12 " * 400}) + "\n")
    done = run("score", model_folder, data, "--min-overall", "0")
    assert "1 texts were cut to 1000 tokens" in done.stderr


def test_texts_on_the_command_line_make_a_plain_table(model_folder: Path) -> None:
    done = run("score", model_folder, "--text", "净利率为 12", "--text", "abc")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "text", "overall", "accuracy", "professionalism", "depth_of_analysis", "grade",
    ]  # fmt: skip
    assert lines[2].startswith("abc ")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (["-"], json.dumps(ROWS[0]) + "\n{broken\n", 11, "standard input line 2 column 2: not JSON"),
        (["-"], '{"text": "b"}\n', 11, "standard input line 1: no column system_prompt (spec.dataset.fields"),
        (
            ["-"],
            json.dumps({**ROWS[0], "text": "b"}) + "\n",
            11,
            "standard input line 1: text stands here, and not",
        ),
        (["-"], "", 11, "standard input: empty"),
        (["nowhere.jsonl"], "", 11, "nowhere.jsonl: no such file"),
        ([], "", 2, "nothing to score: give a FILE"),
        (
            ["-", "--min-overall", "7"],
            "",
            2,
            "--min-overall: 7 is outside 0 to 5, this model's overall",
        ),
        (["-"], json.dumps({**ROWS[1], "report": "x" * 3000}) + "\n", 11, "standard input line 1: "),
    ],
)
def test_bad_input_is_one_line_with_its_place(
    model_folder: Path, arguments: list[str], stdin: str, code: int, words: str
) -> None:
    done = run("score", model_folder, *arguments, stdin=stdin)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_the_program_itself_prints_one_line_and_exits_with_the_errors_code(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from trainjobs.cli import main; main()"]
    done = subprocess.run(
        [*program, "score", tmp_path / "nowhere", "--text", "a"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 12
    assert done.stderr.startswith("error: ")
    assert "no such folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_evaluate_writes_results_beside_baselines_from_the_training_rows(
    model_folder: Path, model: RewardModel, tmp_path: Path
) -> None:
    scores = [one.raw_scores for one in model.score(ROWS)]
    data = tmp_path / "test.jsonl"
    with data.open("w", encoding="utf-8") as file:
        for row, raw in zip(ROWS, scores, strict=True):
            given = {name: min(5.0, max(0.0, value)) for name, value in raw.items()}
            file.write(json.dumps({**row, "scores": [given, given]}) + "\n")
    results, predictions = tmp_path / "results.json", tmp_path / "predictions.jsonl"
    done = run(
        "evaluate",
        model_folder,
        "--data",
        data,
        "--train",
        data,
        "--output",
        results,
        "--predictions",
        predictions,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(results.read_text(encoding="utf-8"))
    assert written["metrics"]["overall.mae"] == pytest.approx(0.0, abs=1e-4)
    assert written["metrics"]["overall.pearson"] == pytest.approx(1.0, abs=1e-4)
    baseline = written["groups"][0]["compared"]["mean"]
    assert baseline["mae"]["value"] > 0.001
    assert baseline["pearson"]["value"] is None
    assert written["groups"][0]["compared"]["annotator"]["mae"]["value"] == 0.0
    assert written["details"]["overall"]["raters"]["figures"]["mae"]["value"] == 0.0
    assert "mean only" in done.stdout
    assert len(predictions.read_text(encoding="utf-8").splitlines()) == len(ROWS)


def test_a_byte_order_mark_is_no_part_of_the_first_row(model_folder: Path, tmp_path: Path) -> None:
    marked = tmp_path / "rows.jsonl"
    marked.write_text(json.dumps(ROWS[1], ensure_ascii=False) + "\n", encoding="utf-8-sig")
    done = run("score", model_folder, marked)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to score: give a FILE"),
        (("--text", "a", "rows.jsonl"), "not both"),
        (("--text", "a", "--min-overall", "1"), "--min-overall, --with-scores and --to are for rows"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(
    model_folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run("score", model_folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_output_that_cannot_be_written_is_refused_before_the_work(model_folder: Path, rows: Path) -> None:
    done = run("evaluate", model_folder, "--data", rows, "--output", "/no/such/folder/results.json")
    assert done.returncode == 2
    assert "/no/such/folder/results.json: its folder is not there" in done.stderr
