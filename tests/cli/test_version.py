"""`jaxrd --version`, alone and with what a bug report needs."""

import jax
import numpy as np
import pytest

import jaxrd
from jaxrd.cli import version
from jaxrd.cli.app import run


def facts(capsys, args):
    assert run(args) == 0
    return dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())


def test_alone(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"jaxrd {jaxrd.__version__}\n"


@pytest.mark.parametrize("args", [["--version", "--verbose"], ["--verbose", "--version"]])
def test_verbose(capsys, args):
    said = {name: value.strip() for name, value in facts(capsys, args).items()}
    assert said["jaxrd"] == jaxrd.__version__
    assert said["jax"] == jax.__version__
    assert said["numpy"] == np.__version__
    assert said["devices"] == f"{jax.device_count()}: cpu (cpu)"
    assert {"python", "system", "jaxlib", "scipy", "extras", "programs kept in", "float64"} <= set(said)


def test_the_environment(capsys, monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"1" * 2**20)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    said = {name: value.strip() for name, value in facts(capsys, ["--version", "--verbose"]).items()}
    assert said["programs kept in"] == f"{tmp_path} (1 files, 1.0 MiB)"
    assert said["XLA_FLAGS"] == "(empty)"
    assert "JAX_ENABLE_X64" not in said
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "none"))
    assert "No such file" in version.report()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    assert "nowhere" in version.report()


def test_a_device_that_does_not_start_is_reported(monkeypatch):
    def devices():
        raise RuntimeError("Unable to initialize backend 'cuda':\n no driver")

    monkeypatch.setattr(jax, "devices", devices)
    assert "none: Unable to initialize backend 'cuda': no driver" in version.report()


def test_verbose_belongs_to_version(capsys):
    assert run(["--verbose", "limits"]) == 2
    assert capsys.readouterr().err == "jaxrd: --verbose belongs to --version.\n"
