"""``rspnet-train recipes`` and ``subset-kinetics``: what a run is prepared with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rspnet_core.text import as_line, printable


def recipes_command(
    name: Annotated[str | None, typer.Argument(help="A recipe, to see all of its settings.")] = None,
    finetune: Annotated[bool, typer.Option("--finetune", help="Those of `finetune` rather than `pretrain`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List the recipes that come with rspnet, or print one with all of its settings.

    Example: rspnet-train recipes

    Example: rspnet-train recipes --finetune ucf101-c3d > mine.toml
    """
    from rspnet_core.pretext.joint_recipe import JointRecipe, is_joint
    from rspnet_core.pretext.recipe import PretrainRecipe
    from rspnet_core.recognition.recipe import FinetuneRecipe
    from rspnet_core.training.recipe_file import load_recipe, recipe_names, to_toml

    kinds: list[type[FinetuneRecipe | PretrainRecipe | JointRecipe]] = (
        [FinetuneRecipe] if finetune else [PretrainRecipe, JointRecipe]
    )
    if name is not None:
        recipe = load_recipe(kinds[-1] if is_joint(name) else kinds[0], name, {})
        print(as_line(recipe.model_dump(mode="json")) if as_json else to_toml(recipe), end="\n" if as_json else "")
        return
    recipes = {each: load_recipe(kind, each, {}) for kind in kinds for each in recipe_names(kind)}
    if as_json:
        print(as_line({each: recipe.model_dump(mode="json") for each, recipe in recipes.items()}))
        return
    for each, recipe in recipes.items():
        clip = f"{recipe.frames_per_clip:>2} x {recipe.clip_size:>3} px"
        length = f"{recipe.epochs:>5} epochs  batch {recipe.batch_size:<4}"
        print(f"{each:<24} {recipe.backbone:<9} {length} {clip}  {recipe.summary}")


def subset_command(
    data: Annotated[Path, typer.Argument(help="Kinetics-400, or any labelled folder.", show_default=False)],
    classes: Annotated[int, typer.Option(min=1, help="How many classes.")] = 100,
    out: Annotated[
        Path | None, typer.Option(help="The list to write; by default DATA/kinetics-CLASSES.txt.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Write the list of the training videos in the classes of least disk size: Kinetics-100 of the paper.

    Example: rspnet-train subset-kinetics kinetics400 --classes 100
    """
    from rspnet_core.video.datasets.kinetics_subset import smallest_classes, write_list

    subset = smallest_classes(data, classes)
    target = out or data / f"kinetics-{classes}.txt"
    write_list(subset, target)
    if as_json:
        document = {"list": str(target), "videos": len(subset.paths), "bytes": subset.num_bytes}
        print(as_line({**document, "classes": subset.classes, "class_bytes": subset.class_bytes}))
        return
    line = (
        f"{len(subset.classes)} classes, {len(subset.paths)} videos, {subset.num_bytes / 1e9:.2f} GB, "
        f"the largest class {subset.classes[-1]} with {subset.class_bytes[-1] / 1e9:.2f} GB: {target}; "
        f"next: rspnet-train pretrain {shlex.quote(str(data))} --list {shlex.quote(str(target))} "
        "--recipe k100-resnet18 --out RUN"
    )
    print(printable(line))
