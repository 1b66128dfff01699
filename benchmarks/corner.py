"""The corner of the committed encoder of rdc-fig6: what its best decoders reach, without a network.

    python benchmarks/corner.py --data DIR

Reads results/rdc-fig6-model.npz (cross-entropy weight .03, seed 0), adds `corners` to results/rdc-fig6.json and draws
rdc-fig6.png again; under a minute. A new run of `jaxrd reproduce rdc-fig6` has the corners of all its frozen encoders.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from jaxrd import datasets
from jaxrd.figures.rdc_fig6.compute import CORNERS
from jaxrd.figures.rdc_fig6.draw import draw
from jaxrd.figures.rdc_fig6.plan import LOW_CE
from jaxrd.neural import model_file
from jaxrd.neural.evaluate import sent_messages
from jaxrd.neural.label_entropy import corner
from jaxrd.plots import png

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()

    model = model_file.read(args.out / "rdc-fig6-model.npz")

    def sent(split: datasets.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images = split.images.reshape(len(split.images), -1) / np.float32(255)
        return sent_messages(model.code, model.parameters, images), images, split.labels

    train, test = map(sent, datasets.mnist(args.data))
    found = corner(train, test, len(model.frequencies))
    path = args.out / "rdc-fig6.json"
    document = json.loads(path.read_text())
    document["corners"] = [{"encoder_weight": LOW_CE, "seed": 0} | found._asdict()]
    document["notes"] = [note for note in document["notes"] if note != CORNERS] + [CORNERS]
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    tables = {name: document[name] for name in ("conventional", "universal", "quantiser")}
    figure = draw(
        tables, document["published"], document["published_universal"], document["theorem5"], document["corners"]
    )
    (args.out / "rdc-fig6.png").write_bytes(png(figure))
    print(document["corners"])


if __name__ == "__main__":
    main()
