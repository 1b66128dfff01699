"""The models of rdc-rates on MNIST, and the figure of those that are finished, beside the committed baselines.

    JAXRD_DATA=... python benchmarks/rdc_rates.py --runs RUNS                            # trains; goes on where it was
    JAXRD_DATA=... python benchmarks/rdc_rates.py --runs RUNS --finished --out results   # trains nothing

Unlike `jaxrd reproduce rdc-rates` it reports before all models are there: targets without a row are left out, and
`seeds` says how many a row is a mean of. The baselines are read from results/rdc-rates-baselines.json.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np

from jaxrd import datasets
from jaxrd.cli.common import Clock, provenance
from jaxrd.figures.rdc_rates.compute import Sample, models
from jaxrd.figures.rdc_rates.figure import reproduction, sliced_floor
from jaxrd.figures.rdc_rates.plan import FULL
from jaxrd.neural import classifier, classifier_file

BASELINES = Path(__file__).parent / "results" / "rdc-rates-baselines.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--runs", type=Path, required=True, help="folder of checkpoints and rows")
    parser.add_argument("--finished", action="store_true", help="report what is finished, train nothing")
    parser.add_argument("--out", type=Path, help="folder of the figure and its numbers")
    args = parser.parse_args()
    clock = perf_counter()
    train, test = datasets.mnist(args.data)
    samples = [Sample(s.images, (s.labels, datasets.thickness_classes(s.images))) for s in (train, test)]
    fixed = [classifier.load(), classifier_file.load_thickness()]

    def say(line: str) -> None:
        print(f"{perf_counter() - clock:6.0f} s  {line}", flush=True)

    found = models(FULL, samples[0], samples[1], fixed, args.runs, finished=args.finished, say=say)
    if args.out:
        held = {rate["bits"]: rate["baselines"] for rate in json.loads(BASELINES.read_text())["rates"]}
        rates = [rate | {"baselines": held[rate["bits"]]} for rate in found if rate["conventional"]]
        x, y = (s.images.reshape(len(s.images), -1) / np.float32(255) for s in samples)
        figure = reproduction(rates, FULL, floor=sliced_floor(x, y), counts=(len(x), len(y)))
        meta = provenance(dtype="float32", sha256=None, seed=0, clock=Clock(), tolerance=0.0)
        for name, content in figure.files(meta):
            (args.out / name).write_bytes(content)
        for claim in figure.claims:
            print(f"{claim.paper}\n    {claim.found}")


if __name__ == "__main__":
    main()
