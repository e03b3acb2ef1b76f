"""``python -m tests.controller.cli.golden``: every golden text of the command line anew; look at the difference."""

from tests.controller.cli import explain_scenes, plan_scenes, verb_scenes


def main() -> None:
    for scenes in (explain_scenes, plan_scenes, verb_scenes):
        scenes.main()


if __name__ == "__main__":
    main()
