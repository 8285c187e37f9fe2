"""The reference in docs/ is complete: every setting, error and field of a JSON document stands there."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rspnet_core.errors
import rspnet_core.weights.download
from indexer.retrieval.export import CLIP_COLUMNS, VIDEO_COLUMNS
from indexer.retrieval.library import Library
from rspnet_core.bench.step_speed import StepCosts
from rspnet_core.cli.main import app as rspnet_train
from rspnet_core.config import Augmentation
from rspnet_core.errors import RspnetError
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.recognition.document import document, mean_of_folds
from rspnet_core.recognition.recipe import FinetuneRecipe, SupervisedAugmentation
from rspnet_core.recognition.scores import measure
from rspnet_core.tables.compare_tasks import Comparison
from rspnet_core.tables.rows import rows_of
from rspnet_core.tables.table import measured, table_document
from rspnet_core.tables.task_scores import MEASURES, Scores
from rspnet_core.tables.task_table import task_document
from tests.conftest import REPOSITORY, save_classifier
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.retrieval.test_playback import told
from tests.indexer.storage import copied
from tests.rspnet_core.pretext.test_views import store_of
from tests.rspnet_core.recognition.samples import random_predictions
from tests.rspnet_core.thin import thin
from tests.rspnet_core.training.runs import SETTINGS
from tests.test_readme import COMMANDS, options_of

DOCS = REPOSITORY / "docs"


def rows(text: str) -> Iterator[list[str]]:
    """Cells of the rows of all tables, without heads and rules."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def sections(text: str) -> dict[str, str]:
    """Text of each second-level section by the anchor of its heading."""
    found = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", name).lower().replace(" ", "-"): body
        for name, body in zip(found[1::2], found[2::2], strict=True)
    }


# Settings


def settings_of(part: str) -> dict[str, list[str]]:
    return {row[0].strip("`"): row[1:] for row in rows(sections((DOCS / "settings.md").read_text())[part])}


def shown(value: Any) -> set[str]:
    """The ways in which a default may be written."""
    plain = json.dumps(list(value) if isinstance(value, tuple) else value)
    return {plain, f"`{plain}`", f"{value:g}" if isinstance(value, float) else plain}


def test_every_setting_of_a_recipe_stands_there_with_its_default() -> None:
    both, views = settings_of("of-pre-training-and-fine-tuning"), settings_of("of-pre-training")
    tasks = {name: row for name, row in settings_of("of-pre-training-by-several-tasks").items() if "." not in name}
    parts = {
        PretrainRecipe: both | views | settings_of("of-pre-training-by-algorithm-1"),
        FinetuneRecipe: both | settings_of("of-fine-tuning-alone"),
        JointRecipe: both | views | tasks,
    }
    for recipe, described in parts.items():
        assert set(described) == set(recipe.model_fields)
        for name, field in recipe.model_fields.items():
            if name == "augmentation" or (recipe is JointRecipe and name == "objectives"):
                continue
            default = described[name][1]
            if name in both and ", fine-tuning " in default:
                default = default.split(", fine-tuning ")[recipe is FinetuneRecipe]
            assert default in shown(field.default), f"{name}: {default} stands there, {field.default} is the default"


def test_every_setting_of_a_task_stands_there_with_its_default() -> None:
    described = {
        name.strip("` "): row[1]
        for names, *row in rows(sections((DOCS / "settings.md").read_text())["of-pre-training-by-several-tasks"])
        for name in names.split(",")
        if "." in name
    }
    expected = {
        f"objectives.{task}.{name}": field.default
        for task, kind in OBJECTIVES.items()
        for name, field in kind.Settings.model_fields.items()
        if name != "weight"
    }
    assert described.keys() == expected.keys()
    assert all(described[name] in shown(default) for name, default in expected.items())


def test_every_setting_of_augmentation_stands_there_with_both_defaults() -> None:
    described = settings_of("augmentation")
    assert set(described) == {f"augmentation.{name}" for name in Augmentation.model_fields}
    for place, kind in ((1, Augmentation), (2, SupervisedAugmentation)):
        for name, field in kind.model_fields.items():
            assert described[f"augmentation.{name}"][place] in shown(field.default), name


@pytest.mark.parametrize("recipe", [PretrainRecipe, FinetuneRecipe])
def test_limits_of_a_setting_stand_there(recipe: type[PretrainRecipe | FinetuneRecipe]) -> None:
    parts = (
        "of-pre-training-and-fine-tuning",
        "of-pre-training",
        "of-pre-training-by-algorithm-1",
        "of-fine-tuning-alone",
    )
    described = {name: row for part in parts for name, row in settings_of(part).items()}
    for name, field in recipe.model_fields.items():
        for limit in field.metadata:
            for sign in ("ge", "gt", "le"):
                if (bound := getattr(limit, sign, None)) is not None:
                    assert f"{bound:g}" in described[name][0], f"{name} {sign} {bound}"


# Errors


def errors() -> list[type[RspnetError]]:
    found = [each for each in vars(rspnet_core.errors).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, RspnetError)]


def test_every_error_stands_there_with_its_parent_and_its_exit_code() -> None:
    described = {row[0]: row[1:3] for row in rows(sections((DOCS / "errors.md").read_text())["errors"])}
    expected = {
        f"`{each.__name__}`": [
            "" if each is RspnetError else f"`{each.__bases__[0].__name__}`",
            str(each.exit_code),
        ]
        for each in errors()
    }
    assert described == expected


# JSON documents

Tree = dict[str, Any]
REFERENCE = sections((DOCS / "json.md").read_text())


def described(section: str) -> Tree:
    """Fields of a section."""
    return tree_of(REFERENCE[section])


def tree_of(text: str) -> Tree:
    """Fields of tables as a tree; ``ONLY`` marks one that a document need not have, capitals stand for any name."""
    tree: Tree = {}
    for row in rows(text):
        linked = re.search(r"\]\(#([\w-]+)\)", " ".join(row[1:]))
        for name in re.findall(r"`([^`]+)`", row[0]):
            node = tree
            for part in name.replace("[]", "").split("."):
                node = node.setdefault(part, {})
            if linked:
                _merge(node, described(linked[1]))
            if "only " in " ".join(row[1:]):
                node[ONLY] = {}
            if "(settings.md)" in row[1]:
                node[ANYTHING] = {}
    return tree


ONLY, ANYTHING = "(only sometimes)", "(described elsewhere)"


def _merge(tree: Tree, other: Tree) -> None:
    for name, node in other.items():
        _merge(tree.setdefault(name, {}), node)


def compare(document: Any, tree: Tree, seen: set[int], place: str = "") -> Iterator[str]:
    """Fields of the document that the tree does not have; ``seen`` takes the nodes that it uses."""
    seen.add(id(tree))
    if isinstance(document, list):
        for entry in document:
            yield from compare(entry, tree, seen, place)
    elif isinstance(document, dict) and ANYTHING not in tree:
        for name, value in document.items():
            node = tree[name] if name in tree else next((tree[each] for each in tree if each.isupper()), None)
            if node is None:
                yield f"{place}.{name}"
            else:
                yield from compare(value, node, seen, f"{place}.{name}")


def unused(tree: Tree, seen: set[int], place: str = "") -> Iterator[str]:
    """Fields that no document had and that do not say that they are there only sometimes."""
    for name, node in tree.items():
        if name in {ONLY, ANYTHING} or ONLY in node:
            continue
        if id(node) not in seen:
            yield f"{place}.{name}"
        else:
            yield from unused(node, seen, f"{place}.{name}")


def assert_described(section: str, *documents: Any) -> None:
    assert_fits(described(section), *documents)


def assert_fits(tree: Tree, *documents: Any) -> None:
    seen = set[int]()
    missing = {field for each in documents for field in compare(each, tree, seen)}
    assert not missing, "docs/json.md: these fields are not described"
    assert not set(unused(tree, seen)), "docs/json.md: no document has these fields"


def index_document(*arguments: object) -> Any:
    return json.loads(rspnet_index(*arguments, "--json").stdout)


def train_document(*arguments: object) -> Any:
    done = CliRunner().invoke(rspnet_train, [*map(str, arguments), "--json"])
    assert done.exit_code in {0, 3}, done.output
    return json.loads(done.stdout)


def settings(option: str, **values: object) -> list[str]:
    return [part for key, value in values.items() for part in (option, f"{key}={value}")]


def test_documents_of_building_searching_and_upkeep(few_videos: Path, tmp_path: Path) -> None:
    (few_videos / "bad.mp4").write_text("<html>")
    weights = save_classifier(tmp_path / "weights.safetensors", ["a", "b", "c"])
    query = min(few_videos.rglob("v_*.mp4"))
    in_library = ("--index", few_videos)
    assert_described("rspnet-index-build", index_document("build", few_videos, "--weights", weights, "--device", "cpu"))
    by_file = index_document("search", query, *in_library, "--moments")
    by_id = index_document("search", by_file["hits"][0]["id"], *in_library, "--start", 0, "--end", 1)
    by_all = index_document("search", query, *in_library, "--like", query, "--unlike", by_id["hits"][0]["id"])
    others = index_document("search", query, *in_library, "--leave-out", "recording")
    with Library.open(few_videos, device="cpu") as library:
        told(library).write(library.place.folder)
    faster = index_document("search", query, *in_library, "--speed", "faster")
    assert_described("rspnet-index-search", by_file, by_id, by_all, others, faster)
    for command in (
        ["info"],
        ["roots"],
        ["verify"],
        ["export", tmp_path / "export"],
        ["remove", query.relative_to(few_videos)],
    ):
        assert_described(f"rspnet-index-{command[0]}", index_document(*command, *in_library))
    assert_described("rspnet-index-repair", index_document("repair", *in_library))
    simulated = index_document("simulate", "--videos", 3, "--index", tmp_path / "simulated")
    assert_described("rspnet-index-simulate", simulated)
    encoder = json.loads((tmp_path / "export" / "encoder.json").read_text())
    encoder.pop("parts")
    assert_described("encoder-of-a-library", encoder)


def test_documents_of_benchmark_and_heatmap(built: Path, by_energy: Path, sample_videos: Path, tmp_path: Path) -> None:
    families = ("--families", sample_videos / "ucfTrainTestlist" / "classFamily.csv")
    others = (*families, "--leave-out", "group")
    by_split = index_document("benchmark", "--index", built, *families)
    assert_described("rspnet-index-benchmark", by_split, index_document("benchmark", "--index", built, *others))
    assert_described("rspnet-index-compare", index_document("compare", built, by_energy, *others))
    query, *_, match = sorted(sample_videos.rglob("*.mp4"))
    options = ("--index", built, "--out", tmp_path / "why.png", "--faithfulness", "--device", "cpu")
    assert_described("rspnet-index-heatmap", index_document("heatmap", query, match, *options))


def test_the_document_of_playback(built: Path, sample_videos: Path, tmp_path: Path) -> None:
    own = copied(built, tmp_path / "own", sample_videos)
    assert_described("rspnet-index-playback", index_document("playback", "--index", own))


def test_documents_of_training(few_videos: Path, sample_videos: Path, tmp_path: Path) -> None:
    small = {name: SETTINGS[name] for name in ("backbone", "frames_per_clip", "clip_size")} | {"batch_size": 4}
    (few_videos / "bad.mp4").write_text("<html>")
    common = ("--device", "cpu", "--workers", 1, "--max-unreadable", 1, *settings("--set", **small))
    two, one = settings("--set", epochs=2), settings("--set", epochs=1)
    with thin():
        pretrained = train_document("pretrain", few_videos, "--out", tmp_path / "a", *common, *two)
        tuned = train_document("finetune", sample_videos, "--out", tmp_path / "b", *common, *one)
        weights = train_document("weights", "inspect", tuned["model"])
    assert pretrained["unreadable"]
    assert_described("rspnet-train-pretrain-rspnet-train-finetune", pretrained, tuned)
    assert_described("figures-of-a-run", train_document("curve", tmp_path / "a"))
    assert_described("rspnet-train-weights-import-rspnet-train-weights-inspect-rspnet-train-weights-halve", weights)
    beside = json.loads(Path(tuned["model"]).with_suffix(".json").read_text())
    assert set(beside) == set(weights) - {"file", "parameters", "heads"}


def test_documents_of_tests(sample_videos: Path, small_weights: Path) -> None:
    probed = train_document("probe", sample_videos, "--knn", "--weights", small_weights, "--device", "cpu")
    made = document(measure(random_predictions(3, unreadable={"b.mp4": "empty"})))
    assert_described(
        "rspnet-train-evaluate-rspnet-train-probe", probed, {"folds": [made], "mean": mean_of_folds([made, made])}
    )


def test_documents_of_the_pretext_task_and_of_a_step(few_videos: Path, small_weights: Path) -> None:
    (few_videos / "bad.mp4").write_text("<html>")
    told = train_document("pretext", few_videos, "--triplets", 1, "--weights", small_weights)
    assert_described("rspnet-train-pretext", told)
    costs = StepCosts({"rspnet": [1.0], "plain": [2.0]}, {"rspnet": 1, "plain": 2}, 0.0, 0.0, 1.0)
    assert_described("rspnet-train-speed", costs.document())


def test_documents_of_the_papers_tables(monkeypatch: pytest.MonkeyPatch, few_videos: Path, tmp_path: Path) -> None:
    test = document(measure(random_predictions(3))) | {"fold": 1}
    figures = measured([[test], [test]], (1,))
    found = {row: {"reason": row.needs} if row.needs else figures for row in rows_of(3, ["c3d"])}
    assert_described("rspnet-train-ablation---table", table_document(3, found))

    def trained(plan: object, step: Any, listener: object) -> None:
        step.folder.mkdir(parents=True, exist_ok=True)
        (step.folder / "metrics.jsonl").write_text('{"step": 1, "epoch": 1, "rsp_loss": 0.5, "avid_loss": 2.5}\n')

    monkeypatch.setattr("rspnet_core.tables.figure.carry_on", trained)
    monkeypatch.setattr("rspnet_core.tables.figure.once", lambda *_: test)
    options = ("--figure", 3, "--backbone", "tsm18", "--every", 1, "--out", tmp_path, "--device", "cpu")
    small = settings("--set", epochs=1)
    assert_described(
        "rspnet-train-ablation---figure", train_document("ablation", few_videos, few_videos, *options, *small)
    )


def test_the_document_of_compared_tasks(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(store_of([40, 30]).index.model_dump_json())
    plan = Comparison(tmp_path, tmp_path, tmp_path, gallery=tmp_path, seeds=(1,))
    scores: Scores = {measure: [1.0, 0.0] for measure in MEASURES}
    assert_described("rspnet-train-compare-tasks", task_document(plan, {"untrained": {1: scores}, "pace": {1: scores}}))


def test_documents_of_what_a_run_is_prepared_with(
    monkeypatch: pytest.MonkeyPatch, sample_videos: Path, tmp_path: Path
) -> None:
    listed = train_document("subset-kinetics", sample_videos, "--classes", 2, "--out", tmp_path / "list.txt")
    assert_described("rspnet-train-subset-kinetics", listed)
    monkeypatch.setattr(rspnet_core.weights.download, "pull", lambda name: tmp_path / name)
    assert_described("rspnet-train-weights-pull", train_document("weights", "pull", "official:c3d"))
    assert set(train_document("recipes", "small-tsm18")) == set(PretrainRecipe.model_fields)


def test_what_the_apps_library_adds_is_described() -> None:
    """Its document is made in the function of the endpoint: its names are read from the source."""
    function = next(
        node
        for node in ast.walk(ast.parse((REPOSITORY / "app" / "api" / "endpoints.py").read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == "_add_library"
    )
    names = {
        key.value
        for node in ast.walk(function)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    tree = described("the-apps-library")
    assert names == {*tree, *tree["videos_shown"], *tree["failed"]}


def test_files_that_commands_write_are_described(sample_videos: Path) -> None:
    truth, videos, clips = REFERENCE["files-that-commands-write"].split("Columns of")
    columns = [{name for row in rows(text) for name in re.findall(r"`(\w+)`", row[0])} for text in (videos, clips)]
    assert columns == [{*VIDEO_COLUMNS.names}, {*CLIP_COLUMNS.names}]
    assert_fits(tree_of(truth), json.loads((sample_videos / "ground_truth.json").read_text()))


@pytest.mark.parametrize("words", [each for each in COMMANDS if "--json" in options_of(each)])
def test_every_command_with_a_document_has_a_section(words: str) -> None:
    assert re.search(rf"^## .*`{re.escape(words)}( --\w+)?`", (DOCS / "json.md").read_text(), re.MULTILINE)
