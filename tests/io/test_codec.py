"""A codec's measured points: the files of others, and what is refused in them."""

import json

import numpy as np
import pytest

from jaxrd.errors import InputError
from jaxrd.io.codec import read_codec


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def compressai(**results):
    return {"name": "factorized", "description": "", "meta": {"dataset": "ImageNet"}, "results": results}


def test_compressai_in_percent(tmp_path):
    path = write(tmp_path / "x.json", compressai(bpp=[0.4, 0.1], top1=[74.5, 60.0], psnr=[30.0, 27.0]))
    (codec,) = read_codec(path, pixels=100)
    assert codec.name == "factorized"
    np.testing.assert_array_equal(codec.bpp, [0.1, 0.4])
    np.testing.assert_allclose(codec.accuracy, [0.6, 0.745])
    np.testing.assert_array_equal(codec.rate_bits, [10, 40])
    assert codec.notes == (
        "x.json: top1 read as percent (largest value 74.5)", "x.json: bpp times 100 pixels",
    )  # fmt: skip


def test_what_limits_writes_is_read_back(tmp_path):
    from jaxrd.io import compressai as ours

    curve = {
        "bpp": np.array([0.2, np.inf, 0.1]), "accuracy": np.array([0.9, 0.95, 0.5]),
        "distortion": np.array([0.1, 0.05, 0.5]),
    }  # fmt: skip
    (tmp_path / "x.json").write_bytes(ours("a", "b", curve, {}))
    (codec,) = read_codec(tmp_path / "x.json", pixels=1)
    np.testing.assert_array_equal(codec.bpp, [0.1, 0.2])
    np.testing.assert_array_equal(codec.accuracy, [0.5, 0.9])
    assert "read as a fraction" in codec.notes[0]


def test_compressai_vision_summary(tmp_path):
    text = "Dataset,qp,avg_bpp,end_accuracy,nn_part_1,encode\nImageNet,22,0.5,76.0,1.5,2\nImageNet,32,0.2,60.0,1.5,2\n"
    (codec,) = read_codec(write(tmp_path / "summary.csv", text), pixels=1)
    assert codec.name == "summary"
    np.testing.assert_array_equal(codec.bpp, [0.2, 0.5])
    np.testing.assert_allclose(codec.accuracy, [0.6, 0.76])
    assert "end_accuracy is whatever that pipeline's evaluator measures" in codec.notes[1]


def test_bits_a_sample_over_pixels(tmp_path):
    (codec,) = read_codec(write(tmp_path / "x.csv", "rate_bits,Accuracy\n10,0.5\n"), pixels=50)
    np.testing.assert_array_equal(codec.bpp, [0.2])
    (codec,) = read_codec(tmp_path / "x.csv")
    np.testing.assert_array_equal(codec.rate_bits, [10])
    assert np.isnan(codec.bpp).all()


def test_bits_a_pixel_need_the_pixels(tmp_path):
    with pytest.raises(InputError, match=r"x.csv gives bits per pixel \(bpp\): say how many pixels .* --pixels 50176"):
        read_codec(write(tmp_path / "x.csv", "bpp,top1\n0.2,0.5\n"))
    (codec,) = read_codec(write(tmp_path / "x.csv", "bpp,top1,rate_bits\n0.2,0.5,7\n"), pixels=10)
    np.testing.assert_array_equal(codec.rate_bits, [7])  # what needs no assumption is read


@pytest.mark.parametrize(
    ("column", "bits"),
    [("bits_per_sample", 1), ("bytes_per_sample", 8), ("kilobytes", 8000), ("bottleneck_kb", 8192),
     ("data_size_kb", 8192)],
)  # fmt: skip
def test_units(tmp_path, column, bits):
    (codec,) = read_codec(write(tmp_path / "x.csv", f"{column},top1\n3,0.5\n"))
    np.testing.assert_array_equal(codec.rate_bits, [3 * bits])
    if bits > 8:
        assert f"x.csv: {column} in units of {bits // 8} bytes" in codec.notes


def test_one_point_of_encode(tmp_path):
    held = {
        "schema": "jaxrd.encode/1", "curve": "TMRD", "payload_bits_per_sample": 1.87, "distortion": 0.49,
        "accuracy": None,
    }  # fmt: skip
    (codec,) = read_codec(write(tmp_path / "mine.json", held))
    assert codec.name == "mine TMRD"
    np.testing.assert_array_equal(codec.rate_bits, [1.87])
    np.testing.assert_array_equal(codec.distortion, [0.49])
    assert codec.accuracy[0] == pytest.approx(0.51)


LOG = """2021/10/03 01:02:03\tINFO\t__main__\t[Teacher: resnet152]
2021/10/03 01:02:03\tINFO\t__main__\t * Acc@1 78.3120\tAcc@5 94.0460
2021/10/03 01:12:03\tINFO\t__main__\t[Student: custom_resnet]
2021/10/03 01:22:03\tINFO\t__main__\t * Acc@1 72.0000\tAcc@5 90.1000
2021/10/03 01:22:03\tINFO\tsc2bench.analysis\tBottleneck size [KB]: mean 12.5 std 1.5 for 50000 samples
2021/10/03 02:22:03\tINFO\t__main__\t * Acc@1 60.0000\tAcc@5 80.1000
2021/10/03 02:22:03\tINFO\tsc2bench.analysis\tBottleneck size [KB]: mean 2.5 std 1.5 for 50000 samples
"""


def test_logs_of_split_computing(tmp_path):
    (codec,) = read_codec(write(tmp_path / "student.log", LOG))
    assert codec.name == "student"
    np.testing.assert_array_equal(
        codec.rate_bits, [2.5 * 8192, 12.5 * 8192]
    )  # not the teacher, which has no bottleneck
    np.testing.assert_allclose(codec.accuracy, [0.6, 0.72])
    assert "student.log: sizes as sc2bench measures them, those of pickled objects" in codec.notes


def test_what_the_task_loses(tmp_path):
    path = write(tmp_path / "x.csv", "rate_bits,distortion,top1\n3,1.7,0.5\n")
    (codec,) = read_codec(path)
    assert (codec.measured, codec.distortion[0]) == ("top1", 0.5)
    (codec,) = read_codec(path, accuracies=())
    assert (codec.measured, codec.distortion[0]) == ("distortion", 1.7)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\], the loss being 0 or 1; got 1.7"):
        read_codec(path, accuracies=("accuracy_top5",))  # top-1 is not what the task measures
    with pytest.raises(InputError, match="has no distortion, and no accuracy belongs to this loss"):
        read_codec(write(tmp_path / "y.csv", "rate_bits,top1\n3,0.5\n"), accuracies=())
    with pytest.raises(InputError, match=r"distortion must lie in \[0, 1\], the loss being 0 or 1; got 1.7"):
        read_codec(write(tmp_path / "y.csv", "rate_bits,distortion\n3,1.7\n"))


def test_several_codecs_in_one_table(tmp_path):
    text = "codec,bpp,top1\na,0.2,0.6\nb,0.3,0.7\na,0.1,0.5\n"
    a, b = read_codec(write(tmp_path / "x.csv", text), pixels=1)
    assert (a.name, b.name) == ("x a", "x b")
    np.testing.assert_array_equal(a.bpp, [0.1, 0.2])
    np.testing.assert_array_equal(b.accuracy, [0.7])


BAD = {
    "a name twice": (
        "x.json", '{"results": {"bpp": [0.1, 0.2], "top1": [0.5, 0.6], "bpp": [1, 2]}}', "names 'bpp' twice",
    ),
    "fewer names than points": ("x.json", compressai(bpp=[1, 2], top1=[1, 2], codec=["a"]), "1 values of codec for 2"),
    "more names than points": ("x.json", compressai(bpp=[1], top1=[1], codec=["a", "b"]), "2 values of codec for 1"),
    "no number for people": ("x.csv", "bpp,top1\n1_0,0.5\n", "column 'bpp', line 2: '1_0' is no number"),
    "missing": ("nowhere.json", None, "does not exist"),
    "type": ("x.dat", "1 2", "read from .json, .csv and .log; got '.dat'"),
    "no log": ("x.txt", "1 2", "x.txt has no 'Acc@1 ...' followed by 'Bottleneck size [KB]: mean ...'"),
    "a log's number": ("x.log", "Acc@1 1.2.3\n", "x.log, line 1: '1.2.3' is no number"),
    "binary log": ("x.log", b"\xff\xfe\x00\x01", "is not a text file"),
    "encode without bits": ("x.json", {"schema": "jaxrd.encode/1", "distortion": 0.1},
                            "x.json is of jaxrd encode, but has no number 'payload_bits_per_sample'"),
    "empty json": ("x.json", "", "cannot be read as json"),
    "truncated json": ("x.json", json.dumps(compressai(bpp=[1], top1=[1]))[:-10], "cannot be read as json"),
    "a list": ("x.json", "[1]", "has no 'results' with parallel arrays, as CompressAI writes them; it has: list"),
    "no results": ("x.json", {"bpp": [1], "top1": [1]}, "no 'results' with parallel arrays, as CompressAI writes them; "
                   "it has: bpp, top1"),
    "no accuracy": ("x.json", compressai(bpp=[1], psnr=[30], **{"ms-ssim": [0.9]}),
                    "acc1|end_accuracy|distortion|mean_loss); it has: bpp, ms-ssim, psnr"),
    "no rate": ("x.csv", "Dataset,bitrate (kbps),end_accuracy\na,10,50\n",
                "kilobytes|bottleneck_kb|data_size_kb|bpp|avg_bpp); it has: Dataset, bitrate (kbps), end_accuracy"),
    "lengths": ("x.json", compressai(bpp=[1, 2], top1=[0.5]), "2 values of bpp for 1 of top1"),
    "null": ("x.json", compressai(bpp=[1, 2], top1=[0.5, None]), "column 'top1', row 1: 'None' is no number"),
    "nan": ("x.csv", "bpp,top1\nnan,0.5\n", "bpp must be finite and >= 0; got nan at point 0"),
    "negative": ("x.csv", "bpp,top1\n0.1,0.5\n-0.1,0.5\n", "bpp must be finite and >= 0; got -0.1 at point 1"),
    "accuracy over 100": ("x.csv", "bpp,top1\n0.1,760\n", "top1 must be a fraction or percent; got 760"),
    "a word": ("x.csv", "bpp,top1\n0.1,high\n", "column 'top1', line 2: 'high' is no number"),
    "empty arrays": ("x.json", compressai(bpp=[], top1=[]), "bpp must be a list of numbers; got shape (0,)"),
    "nested": ("x.json", compressai(bpp=[[1, 2]], top1=[0.5]), "bpp must be a list of numbers; got shape (1, 2)"),
    "empty csv": ("x.csv", "", "is empty"),
    "no rows": ("x.csv", "bpp,top1\n", "is empty: it has no row"),
    "ragged": ("x.csv", "bpp,top1\n0.1\n", "line 2: 1 fields where the header has 2"),
    "binary": ("x.csv", b"\xff\xfe\x00\x01", "is not a text file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_nonsense_is_refused_and_what_is_there_is_named(case, tmp_path):
    name, content, message = BAD[case]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        write(tmp_path / name, content)
    with pytest.raises(InputError) as error:
        read_codec(tmp_path / name, pixels=1)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
