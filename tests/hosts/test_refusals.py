"""What hosts with packages of their own refuse, before any is opened: half precision, and to do without the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.hosts import export
from compiler.model import ModelError
from tests.hosts.fresh import compiled

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("host", ["onnx", "transformer-lens"])
def test_half_precision_is_refused(host: str, dtype: str, tmp_path: Path) -> None:
    """Float16 `double_histogram` answers wrongly in TransformerLens: its attention patterns are float16 too."""
    model = compiled('o = tokens == "a";', vocab="ab", max_length=4, dtype=dtype).model
    with pytest.raises(ModelError, match=dtype) as caught:
        export(model, host, tmp_path / "out")
    assert "float32" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("host", "package", "extra"), [("onnx", "onnxruntime", "onnx"), ("transformer-lens", "transformer_lens", "lens")]
)
def test_without_the_package_it_says_what_to_install(
    host: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("compiler.hosts.find_spec", lambda package: None)
    model = compiled('o = tokens == "a";', vocab="ab", max_length=4).model
    with pytest.raises(ModelError, match=package) as caught:
        export(model, host, tmp_path / "out")
    assert f"rasp-compiler[{extra}]" in caught.value.hint
