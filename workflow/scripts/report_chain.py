"""Tabulate what each stage of a run reaches and costs, one line per stage."""

from wsss.report.chain import write_chain
from wsss.runs.step import Step, parser, run_step


def report_chain(step: Step) -> None:
    """Write the table."""
    write_chain(step.arguments.out, step.run, step.arguments.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "metrics+", "out")
    run_step("masks", report_chain, arguments.parse_args())
