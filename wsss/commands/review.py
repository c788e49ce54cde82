"""Review the pseudo labels of a run in a browser: photographs on which the chain disagrees come first.

Serves a page on this machine alone (127.0.0.1). Per photograph, one key accepts or rejects its label map, or
changes its labels. Decisions are saved at once in corrections/<run>/review.json, which
`wsss corrections import` takes; a review can be continued. Ctrl-C ends it.
"""

import argparse
from pathlib import Path

from wsss.errors import UserError

HELP = "review pseudo labels in a browser, the doubtful ones first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where it is served."""
    parser.add_argument("name", metavar="RUN", help="name of the run: config/<run>.yaml")
    parser.add_argument("--split", help="split of the data set, by default that for training")
    parser.add_argument("--port", type=int, default=8765, help="0: any free one (8765)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, then say what was decided and what to type next."""
    from wsss.evaluation.quality import qualities
    from wsss.imports.maps import index_of
    from wsss.progress import log_to
    from wsss.report.review import Item, Review
    from wsss.report.review_server import serve
    from wsss.runs.run import load_run
    from wsss.store.label_maps import LabelShard

    log_to()
    asked = load_run(arguments.name)
    index = index_of(asked, arguments.split or asked.config.dataset.train)
    shards = asked.config.cams.shards
    paths = [asked.output("pseudo_labels", index.split, f"{number:03d}") for number in range(shards)]
    if missing := [path for path in paths if not path.is_dir()]:
        raise UserError(f"{missing[0]}: no such directory; make it: snakemake --cores all {missing[0]}")
    opened = [LabelShard(path) for path in paths]
    items = [
        Item(record, quality, opened[place % shards])
        for place, (record, quality) in enumerate(qualities(asked, index))
    ]
    file = Path("corrections", asked.name, "review.json")
    review = Review(items, index.classes, file)
    server = serve(review, arguments.port, title=f"{asked.name}: review of {index.split}")
    print(f"http://127.0.0.1:{server.server_port}/ shows {len(items)} photographs; Ctrl-C ends", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    print(f"{file}: {len(review.decided)} of {len(items)} decided")
    print(f"now: wsss corrections import {file} --run {asked.name}")
    return 0
