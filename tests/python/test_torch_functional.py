"""kith.torch.aggregate and edge_softmax against plain loops and finite differences."""

from types import SimpleNamespace

import kith
import numpy as np
import pytest
from torch_blocks import BLOCKS, edges_of, random_block

torch = pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")

import kith.torch as kt  # noqa: E402
from kith.torch import device, functional  # noqa: E402

EVERY_BLOCK = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())


def random(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator, requires_grad=True)


def reference(x, block, reduce, weight=None):
    """[num_dst, ...] by a loop over the edges, in torch."""
    rows = []
    for v in range(block.num_dst):
        row = [
            x[u] if weight is None else (weight[e].unsqueeze(-1) if weight.dim() == 2 else weight[e]) * x[u]
            for e, (u, to) in enumerate(edges_of(block))
            if to == v
        ]
        if not row:
            rows.append(torch.zeros_like(x[0]))
        else:
            stacked = torch.stack(row)
            rows.append({"sum": stacked.sum(0), "mean": stacked.mean(0), "max": stacked.max(0).values}[reduce])
    return torch.stack(rows)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_aggregate_agrees_with_a_loop(reduce, dtype):
    block = random_block()
    for shape in ((block.num_src, 7), (block.num_src, 3, 5)):
        x = random(*shape, dtype=dtype)
        out = kt.aggregate(x, block, reduce)
        expected = reference(x, block, reduce)
        assert out.dtype == dtype and torch.allclose(out, expected, atol=1e-5 if dtype.itemsize == 4 else 1e-12)
        direction = torch.randn_like(out)
        ours, theirs = (torch.autograd.grad(result, x, direction)[0] for result in (out, expected))
        assert torch.allclose(ours, theirs, atol=1e-5 if dtype.itemsize == 4 else 1e-12)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("heads", [None, 1, 4])
def test_weighted_aggregate_agrees_with_a_loop(reduce, heads):
    block = random_block()
    x = random(block.num_src, 6) if heads is None else random(block.num_src, heads, 6)
    weight = random(block.indices.size, *([] if heads is None else [heads]), seed=1)
    out = kt.aggregate(x, block, reduce, weight)
    assert torch.allclose(out, reference(x, block, reduce, weight), atol=1e-12)


def test_mean_is_the_default():
    block, x = BLOCKS["one destination"], torch.tensor([[1.0], [2.0], [6.0]])
    assert kt.aggregate(x, block).tolist() == [[3.0]]
    assert kt.aggregate(x, block, "max").tolist() == [[6.0]]
    assert kt.aggregate(x, block, "sum", torch.tensor([1.0, 10.0, 100.0])).tolist() == [[6 + 10 + 200.0]]


@EVERY_BLOCK
@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_gradcheck_of_aggregate(block, reduce):
    torch.autograd.gradcheck(lambda x: kt.aggregate(x, block, reduce), random(block.num_src, 3))
    torch.autograd.gradcheck(lambda x: kt.aggregate(x, block, reduce), random(block.num_src, 2, 3))


@EVERY_BLOCK
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_gradcheck_by_the_weights(block, reduce):
    num_edges = block.indices.size
    run = lambda x, weight: kt.aggregate(x, block, reduce, weight)  # noqa: E731
    for shape, weight_shape in (((3,), ()), ((2, 3), (2,)), ((2, 3), ())):
        x, weight = random(block.num_src, *shape), random(num_edges, *weight_shape, seed=1)
        torch.autograd.gradcheck(run, (x, weight))
        torch.autograd.gradcheck(run, (x.detach(), weight))
        torch.autograd.gradcheck(run, (x, weight.detach()))


@EVERY_BLOCK
def test_gradcheck_of_edge_softmax(block):
    for shape in ((), (1,), (3,)):
        scores = random(block.indices.size, *shape)
        torch.autograd.gradcheck(lambda s: kt.edge_softmax(s, block), scores)


@EVERY_BLOCK
def test_gradcheck_of_add_ends(block):
    checked = kt.as_block(block)
    run = lambda s, d: functional.add_ends(s, d, checked)  # noqa: E731
    torch.autograd.gradcheck(run, (random(block.num_src, 2), random(block.num_dst, 2, seed=1)))


def test_edge_softmax_is_a_softmax_of_every_row():
    block = random_block()
    scores = random(block.indices.size, 3)
    out = kt.edge_softmax(scores, block)
    for begin, end in zip(block.indptr[:-1], block.indptr[1:]):
        assert torch.allclose(out[begin:end], scores[begin:end].softmax(0), atol=1e-12)
    assert torch.equal(kt.edge_softmax(scores[:, 0], block), out[:, 0])


def test_tensors_are_read_and_written_in_place(monkeypatch):
    block = random_block()
    x = random(block.num_src, 4, dtype=torch.float32)
    seen = {}
    real = functional._core.aggregate

    def spy(backend, handle, weights, source, target):
        seen.update(source=source.ctypes.data, target=target.ctypes.data)
        real(backend, handle, weights, source, target)

    monkeypatch.setattr(functional._core, "aggregate", spy)
    out = kt.aggregate(x, block)
    assert seen == {"source": x.data_ptr(), "target": out.data_ptr()}
    checked = kt.as_block(block)
    assert np.shares_memory(checked.indices, block.indices) and np.shares_memory(checked.indptr, block.indptr)
    tensors = SimpleNamespace(
        num_dst=block.num_dst,
        num_src=block.num_src,
        indptr=torch.from_numpy(block.indptr),
        indices=torch.from_numpy(block.indices),
    )
    assert kt.as_block(tensors).indices.ctypes.data == tensors.indices.data_ptr()
    assert kt.as_block(checked) is checked


def test_strided_tensors_and_gradients_give_the_same_values():
    block = random_block()
    x = random(block.num_src, 4)
    strided = x.detach().t().contiguous().t().requires_grad_()
    assert not strided.is_contiguous()
    kt.aggregate(x, block).sum().backward()  # its gradient is an expanded scalar
    kt.aggregate(strided, block).sum().backward()
    assert torch.equal(x.grad, strided.grad)
    degree = torch.from_numpy(np.bincount(block.indices, minlength=block.num_src))
    assert ((x.grad[:, 0] > 0) == (degree > 0)).all()


def test_blocks_of_other_integers_and_of_batches_work(data):
    small = random_block()
    wide = SimpleNamespace(
        num_dst=np.int64(small.num_dst),
        num_src=small.num_src,
        indptr=torch.from_numpy(small.indptr).long(),
        indices=small.indices.astype(np.uint16),
    )
    x = random(small.num_src, 3)
    assert torch.equal(kt.aggregate(x, wide), kt.aggregate(x, small))
    batch = next(iter(kith.NeighborLoader(data, [4, 3], "train", batch_size=16)))
    h = torch.as_tensor(batch.x)
    for block in batch.blocks:
        h = kt.aggregate(h, block)
    assert h.shape == (16, data.num_features)


def test_an_edge_index_becomes_a_block():
    edge_index = torch.tensor([[3, 1, 0, 1], [2, 0, 2, 0]])
    block = kt.block_from_edge_index(edge_index, 4, 3)
    assert block.indptr.tolist() == [0, 2, 2, 4] and block.indices.tolist() == [1, 1, 3, 0]
    assert block.edge_order.tolist() == [1, 3, 0, 2]
    assert block.destinations.tolist() == [0, 0, 2, 2] and block.sources.tolist() == [1, 1, 3, 0]
    in_order = kt.block_from_edge_index(edge_index[:, block.edge_order], 4, 3)
    assert in_order.edge_order is None and in_order.indices.tolist() == block.indices.tolist()
    empty = kt.block_from_edge_index(torch.empty(2, 0, dtype=torch.int64), 5)
    assert empty.indptr.tolist() == [0] * 6 and empty.num_edges == 0


def test_second_derivatives_are_refused():
    block, x = BLOCKS["one destination"], random(3, 2)
    out = kt.aggregate(x, block, "sum").pow(2).sum()
    (grad,) = torch.autograd.grad(out, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize(
    "cuda, missing",
    [("none", r"built without CUDA: .*\(KITH_CUDA=ON\)"), ("13.0", "finds no device .*: update the driver")],
)
def test_a_cuda_tensor_gets_a_sentence_about_what_is_missing(monkeypatch, cuda, missing):
    monkeypatch.setattr(device, "device_of", lambda tensor: torch.device("cuda", 0))
    monkeypatch.setattr(device._core, "available_devices", lambda: ["cpu"])
    monkeypatch.setattr(device._core, "build_info", lambda: {"cuda": cuda})
    device._missing_for_cuda.cache_clear()
    with pytest.raises(ValueError, match=rf"x is on cuda:0, but Kith.*{missing}.*, or use x.cpu\(\)"):
        kt.aggregate(zeros(3, 2), BLOCK)
    device._missing_for_cuda.cache_clear()


def test_an_operation_takes_no_array_of_another_place():
    block, x = BLOCKS["one destination"], np.zeros((3, 2), np.float32)
    handle, on_cpu = kt.as_block(block).handle, device.CPU.backend
    core, out = device._core, np.zeros((1, 2), np.float32)
    elsewhere = core.DeviceArray(x, x.ctypes.data, 3, 2, "float32")
    with pytest.raises(ValueError, match="float32 or float64 matrix, got <class .*DeviceArray"):
        core.aggregate(on_cpu, handle, None, elsewhere, out)
    ints = [core.DeviceArray(a, a.ctypes.data, a.size, 1, "int32") for a in (block.indptr, block.indices)]
    with pytest.raises(ValueError, match="block must be in the memory of the backend, cpu"):
        core.aggregate(on_cpu, handle.on_device(*ints), None, x, out)
    with pytest.raises(ValueError, match="must be int32 and of the block's sizes"):
        handle.on_device(*reversed(ints))
    with pytest.raises(ValueError, match="dtype must be float32, float64 or int32, got float16"):
        core.DeviceArray(x, x.ctypes.data, 3, 2, "float16")
    with pytest.raises(ValueError, match="C-contiguous float32 or float64 matrix, got <class 'numpy.ndarray'"):
        core.aggregate(on_cpu, handle, None, x[:, :1], out)
    with pytest.raises(ValueError, match="C-contiguous array of float32"):
        core.aggregate(on_cpu, handle, np.zeros(3), x, out)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        core.aggregate(on_cpu, handle, None, x, out)


zeros = torch.zeros


def weighted(weight):
    return kt.aggregate(torch.zeros(3, 2), BLOCK, "sum", weight)


BLOCK = BLOCKS["one destination"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: kt.aggregate(zeros(3, 2), BLOCK, "median"), "'sum', 'mean' or 'max', got 'median'"),
        (lambda: kt.aggregate(zeros(2, 2), BLOCK), r"each of the block's sources \(3\), got shape \[2, 2\]"),
        (lambda: kt.aggregate(zeros(4, 2), BLOCK), r"sources \(3\)"),
        (lambda: kt.aggregate(zeros(3), BLOCK), r"x must be \[num_src, F\]"),
        (lambda: kt.aggregate(zeros(3, 2, dtype=torch.float16), BLOCK), "or float64, got torch.float16"),
        (lambda: kt.aggregate(zeros(3, 2, dtype=torch.int64), BLOCK), "got torch.int64"),
        (lambda: kt.aggregate(zeros(3, 2, device="meta"), BLOCK), "x is on meta, but kith.torch computes"),
        (lambda: kt.aggregate(np.zeros((3, 2)), BLOCK), "x must be a torch tensor, got ndarray"),
        (lambda: kt.aggregate(zeros(3, 2), BLOCK, "max", zeros(3)), "'max' takes no weight"),
        (lambda: weighted(zeros(2)), r"each of the block's edges \(3\)"),
        (lambda: weighted(zeros(3).double()), "x's dtype torch.float32"),
        (lambda: weighted(zeros(3, 2)), r"must be \[num_src, 2, F\]"),
        (lambda: kt.edge_softmax(zeros(4), BLOCK), r"edges \(3\), got shape \[4\]"),
        (lambda: kt.edge_softmax(zeros(3, 0), BLOCK), r"\[E\] or \[E, heads\]"),
        (lambda: kt.edge_softmax(zeros(3, device="meta"), BLOCK), "scores is on meta"),
        (lambda: kt.as_block(zeros(2, 3)), "lacks num_dst, num_src.*block_from_edge_index"),
        (lambda: kt.as_block(BLOCK._replace(indices=np.int32([0, 1, 3]))), r"in \[0, 3\), got 3 at position 2"),
        (lambda: kt.as_block(BLOCK._replace(indices=np.int32([0, -1, 2]))), "got -1"),
        (lambda: kt.as_block(BLOCK._replace(indices=np.int64([0, 1, 2**32]))), "fit 32 bits"),
        (lambda: kt.as_block(BLOCK._replace(indices=np.float32([0, 1, 2]))), "whole numbers"),
        (lambda: kt.as_block(BLOCK._replace(indptr=np.int32([0, 2]))), r"number of indices \(3\), got 2"),
        (lambda: kt.as_block(BLOCK._replace(num_dst=2)), r"num_dst \+ 1 = 3 values"),
        (lambda: kt.block_from_edge_index(torch.tensor([[0], [3]]), 3), r"in \[0, 3\), got 3 to 3"),
        (lambda: kt.block_from_edge_index(torch.tensor([[3], [0]]), 3), r"in \[0, 3\), got 3"),
        (lambda: kt.block_from_edge_index(zeros(2, 3), 3), r"int64 tensor \[2, E\], got torch.f"),
        (lambda: kt.block_from_edge_index(zeros(3, 2).long(), 3), r"\[2, E\]"),
    ],
)
def test_wrong_use_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
