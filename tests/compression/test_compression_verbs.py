"""`python -m tfarch.compression`: for people and for programs, and what cannot be is exit code 2."""

import json

import pytest

from tests.tiny_tflite import write_encoder
from tfarch.cli.compression import main
from tfarch.compression.recipe import load_recipe, shipped_recipes


def test_recipes_are_listed_with_what_they_do_and_cost(capsys):
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    for name in shipped_recipes():
        assert name in shown
        assert load_recipe(name).description in shown
    assert main(["recipes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told] == sorted(shipped_recipes())
    assert all(each["header"] and not each["header"].startswith("#") for each in told)
    assert [each["stages"][0]["kind"] for each in told] == [load_recipe(name).stages[0].kind for name in sorted(shipped_recipes())]


def test_a_file_is_measured_for_people_and_programs(tmp_path, capsys):
    encoder = write_encoder(tmp_path)
    asked = ["benchmark", str(encoder), "--lengths", "8", "--threads", "1", "--repeats", "2"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert f"{encoder.stat().st_size / 1e6:.2f} MB" in shown
    assert [line.split()[:2] for line in shown.splitlines()[-2:]] == [["threads", "length"], ["1", "8"]]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["latency_ms"]["threads_1"]["8"]["n"] == 20


def test_what_cannot_be_measured_is_told_in_a_line(tmp_path, capsys):
    assert main(["benchmark", str(tmp_path / "none.tflite")]) == 2
    assert "none.tflite: no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["benchmark", "x.tflite", "--threads", "0"])
    assert left.value.code == 2
    assert "expected a whole number from 1" in capsys.readouterr().err
