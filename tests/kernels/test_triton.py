"""The GPU engine where there is no GPU: chosen rightly, compiled for one, and run in Triton's interpreter."""

import inspect
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from manyhot.kernels import pointwise as chooser
from manyhot.kernels.cells import DenseCells
from manyhot.kernels.pointwise import use_engine
from manyhot.kernels.pointwise_source import named_formulas, variant_of
from manyhot.losses import LOSSES, Pointwise, make_loss

LABELS = 64
COMPILED = ("bce", "asl", "gr")  # all the way to machine code; the others as far as Triton's types


@pytest.fixture(scope="module")
def triton():
    return pytest.importorskip("triton", reason="the extra triton is not installed")


@pytest.mark.slow
def test_in_the_interpreter(triton):
    file = Path(__file__).with_name("test_triton_interpreted.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    assert "skipped" not in run.stdout.splitlines()[-1]


def test_engines_are_chosen_by_device(triton, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    logits = torch.zeros(128, 128)
    assert not chooser.suits_triton(logits)
    with use_engine("triton"):
        assert not chooser.suits_triton(logits)
        assert not chooser.suits_numba(logits)
        assert not chooser.suits_triton(torch.zeros(128, 128, device="meta"))


def test_without_triton_torch_is_used_and_one_line_logged(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    chooser._triton_is_there.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="manyhot.kernels"), use_engine("triton"):
            values = [make_loss("bce")(torch.zeros(4, 4), torch.zeros(4, 4)) for _ in range(2)]
    finally:
        chooser._triton_is_there.cache_clear()
    torch.testing.assert_close(values[0].item(), 0.6931471805599453)
    assert len([record for record in caplog.records if "pip install manyhot[triton]" in record.message]) == 1


def source(triton, kernel, types, constants):
    """A kernel with the types of its arguments, as Triton's compiler takes it."""
    annotations = {name: p.annotation for name, p in inspect.signature(kernel.fn).parameters.items()}
    signature, fixed, divisible = {}, {}, {}
    for place, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name], fixed[(place,)] = "constexpr", constants[name]
            continue
        signature[name] = types.get(name) or ("fp64" if str(annotations[name]) == "fp64" else "*fp32")
        if signature[name].startswith("*") or name == "size":
            divisible[(place,)] = [["tt.divisibility", 16]]
    return triton.compiler.ASTSource(kernel, signature, fixed, divisible)


def kernels_of(name, logits, soft, full=False):
    """The kernels of a loss, each with types and compile-time constants; with every weight if `full`."""
    from manyhot.kernels.triton_pointwise import BLOCK, kernel_module

    counts = torch.arange(1, LABELS + 1)
    loss = make_loss(name, label_counts=counts, num_rows=100, label_weight=np.ones(LABELS) if full else None)
    curves = loss.curves(loss.prepare(torch.zeros(2, LABELS), DenseCells(values=torch.zeros(2, LABELS))))
    module = kernel_module(
        named_formulas(curves), variant_of(curves, soft=soft, cell_weighted=full), "float32"
    )
    types = {"z": logits, "slopes": logits, "size": "i64", "width": "i32", "count": "i32"}
    types |= dict.fromkeys(("positives", "positive_edges", "unknown_edges", "places"), "*i64")
    types["factor"] = "*fp64"
    beside = {} if full else {"unknown": None, **dict.fromkeys(("row_weight", "cell_weight", "factor"))}
    line = {"BLOCK": BLOCK, "LONG": full, **beside}
    edges = {} if full else {"unknown_edges": None}
    yield module.wide, {**types, "unknown": "*i64"}, {**line, **edges}
    values = {} if soft else {"values": None}
    yield module.listed, types, {"BLOCK": 256, "UNKNOWN": full, **values, **beside}
    costly = curves.unknown is not None
    yield module.dense, {**types, "unknown": "*u8"}, {"CODED": True, "COSTLY": costly, **line}


@pytest.fixture
def not_interpreted(triton):
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("in the interpreter nothing is compiled")


def translated(triton, call):
    """Triton's first form of a kernel, in which every type is settled."""
    from triton._C.libtriton import ir
    from triton.backends.compiler import GPUTarget

    target = GPUTarget("cuda", 90, 32)
    backend = triton.compiler.make_backend(target)
    options, context = backend.parse_options({}), ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    generation = backend.get_codegen_implementation(options)
    return str(call.make_ir(target, options, generation, backend.get_module_map(), context))


@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if issubclass(kind, Pointwise)])
def test_every_formula_has_types_that_triton_accepts(triton, not_interpreted, name):
    for kernel, types, constants in kernels_of(name, "*bf16", soft=True):
        assert "tt.store" in translated(triton, source(triton, kernel, types, constants))


def test_every_weight_and_places_beyond_32_bits(triton, not_interpreted):
    for kernel, types, constants in kernels_of("gr", "*fp16", soft=True, full=True):
        lines = translated(triton, source(triton, kernel, types, constants)).splitlines()
        products = [line for line in lines if "arith.muli" in line]
        assert products
        assert not [line for line in products if "i32" in line]


@pytest.mark.parametrize("logits", ["*bf16", "*fp32"])
@pytest.mark.parametrize("name", COMPILED)
def test_machine_code_for_an_h200(triton, not_interpreted, name, logits):
    """Reads sixteen bytes at a time, and computes nothing in float64 but the constants it is given."""
    from triton.backends.compiler import GPUTarget

    for kernel, types, constants in kernels_of(name, logits, soft=False):
        compiled = triton.compile(
            source(triton, kernel, types, constants),
            target=GPUTarget("cuda", 90, 32),
            options={"num_warps": 4},
        )
        ptx = compiled.asm["ptx"]
        assert compiled.asm["cubin"]
        assert not [word for word in ("mul.f64", "add.f64", "fma.rn.f64", "mul.rn.f64") if word in ptx]
        if kernel.fn.__name__ == "wide":
            assert "ld.global.v4.b32" in ptx
            assert "st.global.v4.b32" in ptx


def test_machine_code_of_row_sums(triton, not_interpreted):
    from triton.backends.compiler import GPUTarget

    from manyhot.kernels.triton_row_split import PIECE, kernels

    types = {"width": "i32", "pieces": "i32", "positives": "*i64", "positive_edges": "*i64"}
    for kernel in (kernels("float32").sums, kernels("float32").shares):
        constants = {"unknown": None, "unknown_edges": None, "weight": None, "BLOCK": PIECE}
        compiled = triton.compile(
            source(triton, kernel, types, constants),
            target=GPUTarget("cuda", 90, 32),
            options={"num_warps": 8},
        )
        assert compiled.asm["cubin"]


def test_machine_code_of_the_factor(triton, not_interpreted):
    from triton.backends.compiler import GPUTarget

    from manyhot.kernels.triton_pointwise import BLOCK, multiply_kernel

    types = {"slopes": "*bf16", "size": "i64"}
    call = source(triton, multiply_kernel(), types, {"BLOCK": BLOCK})
    assert triton.compile(call, target=GPUTarget("cuda", 90, 32)).asm["cubin"]
