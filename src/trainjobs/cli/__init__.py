"""The command line: `trainjobs VERB`; one file per verb, loaded when the verb is called."""


def main() -> None:
    """Run the program on the arguments it was started with, and exit."""
    from trainjobs.cli.app import run_program

    run_program()
