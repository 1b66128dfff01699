"""The universal code at several rates: h latent dimensions of L levels, (3, 3), (3, 4) and (4, 4), in one table.

    python benchmarks/rates.py --data DIR --runs RUNS      # goes on where it was stopped; prints the table

Each rate trains the two ends of figure 6 and universal decoders on the encoder of low cross-entropy, one seed each,
beside the quantiser of as many messages.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from machine import describe

from jaxrd import datasets
from jaxrd.figures.rdc_fig6.compute import rdc_fig6
from jaxrd.figures.rdc_fig6.plan import LOW_CE, LOW_DISTORTION, Group, Member, Plan, Search, legs
from jaxrd.neural.run import Leg
from jaxrd.neural.train import Code, Stage

CODES = ((3, 3), (3, 4), (4, 4))
COLUMNS = ("mse", "ce_nats", "accuracy", "entropy_bits", "coded_bits")


def plan(dimensions: int, levels: int) -> Plan:
    ends = (LOW_DISTORTION, LOW_CE)
    return Plan(
        code=Code(dimensions, levels),
        search=Search(ends, 4, 30, 20_000),
        conventional=(Group("conventional", tuple(Member(w) for w in ends), legs(warm=40, shift=1, joint=24, last=4)),),
        universal=(
            Group(
                "universal",
                tuple(Member(w, 0.0, 0, LOW_CE) for w in ends),
                (Leg(Stage(("decoder",), adversarial=False), 12, 1e-3),),
            ),
        ),
        kept=(),
    )


def rows(code: tuple[int, int], found: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a model: what it is and what it reaches."""
    head = {"dimensions": code[0], "levels": code[1], "rate_bits": found["rate_bits"]}
    return [
        head | {"model": kind, "weight": r["weight"]} | {name: r.get(name) for name in COLUMNS}
        for kind in ("quantiser", "conventional", "universal")
        for r in found[kind]
    ]


def markdown(table: list[dict[str, Any]]) -> str:
    lines = ["| (h, L) | rate [bits] | model | weight | MSE | CE [nat] | accuracy | coded bits |", "|" + "---|" * 8]
    for r in table:
        coded = "" if r["coded_bits"] is None else f"{r['coded_bits']:.3f}"
        lines.append(
            f"| ({r['dimensions']}, {r['levels']}) | {r['rate_bits']:.3f} | {r['model']} | {r['weight']:g} "
            f"| {r['mse']:.4f} | {r['ce_nats']:.3f} | {r['accuracy']:.1%} | {coded} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--runs", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--out", type=Path, help="also write the table there, as JSON")
    args = parser.parse_args()
    train, test = datasets.mnist(args.data)
    sha256 = hashlib.sha256(test.images.tobytes() + train.images.tobytes()).hexdigest()
    table: list[dict[str, Any]] = []
    for code in CODES:
        found = rdc_fig6(
            train, test, args.runs, sha256=sha256, plan=plan(*code), say=lambda line: print(line, flush=True)
        )
        table += rows(code, dict(found.more))
    print(markdown(table))
    if args.out:
        document = {"schema": "jaxrd.rates/1", "command": "python benchmarks/rates.py", "rows": table}
        args.out.write_text(json.dumps(document | {"machine": describe()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
