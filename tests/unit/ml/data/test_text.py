"""How parts become one text."""

from trainjobs.ml.data.text import DEFAULT_TEMPLATE, ReportParts, join


def test_parts_are_joined_in_the_order_of_the_template() -> None:
    text, spans = join(
        ReportParts(report="fine", system_prompt="judge", input_data={"净利率": 18.05}), DEFAULT_TEMPLATE
    )
    assert text == (
        'judge\n\n<input_data>\n{\n  "净利率": 18.05\n}\n</input_data>\n\n<report>\nfine\n</report>'
    )
    assert {name: text[start:end] for name, (start, end) in spans.items()} == {
        "system_prompt": "judge",
        "input_data": '{\n  "净利率": 18.05\n}',
        "report": "fine",
    }


def test_braces_in_a_report_mean_nothing() -> None:
    parts = ReportParts(report="{input_data} {0} {x.__class__}", system_prompt="{report}", input_data="data")
    text, _ = join(parts, "{system_prompt}|{input_data}|{report}|{other}")
    assert text == "{report}|data|{input_data} {0} {x.__class__}|{other}"
