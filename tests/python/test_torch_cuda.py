"""kith.torch on CUDA tensors: the values and gradients of the CPU, on torch's stream, one upload of a block.

Runs where torch and Kith have a CUDA device, and, by test_torch_emulated.py, on the emulated one.
"""

import contextlib
from types import SimpleNamespace

import emulated_device
import kith
import numpy as np
import pytest
from torch_blocks import BLOCKS, random_block

torch = pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")

import kith.torch as kt  # noqa: E402
from kith.torch.device import place_of  # noqa: E402

IS_EMULATED = emulated_device.FILE is not None
if not IS_EMULATED:
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA device here", allow_module_level=True)
    if "cuda" not in kith.available_devices():
        pytest.skip("Kith was built without CUDA", allow_module_level=True)

EVERY_BLOCK = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
EMULATED = pytest.mark.skipif(not IS_EMULATED, reason="needs the emulated device")
REAL = pytest.mark.skipif(IS_EMULATED, reason="needs a real device")


@pytest.fixture
def device(monkeypatch):
    return (emulated_device.EmulatedDevice if IS_EMULATED else emulated_device.RealDevice)(monkeypatch)


def random(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator, requires_grad=True)


def outputs_and_gradients(call, inputs, parameters=()):
    """On the CPU, whatever they were computed on."""
    out = call(*inputs)
    direction = random(*out.shape, dtype=out.dtype, seed=9).detach().to(out.device)
    wanted = [*inputs, *parameters]
    return [value.detach().cpu() for value in (out, *torch.autograd.grad(out, wanted, direction))]


def assert_same(device, call, *inputs, make_module=None, exactly=False):
    """`call` of inputs, with a module first if there is one, gives on the device what it gives on the CPU."""
    modules = [[], []] if make_module is None else [[make_module()], [device.module(make_module())]]
    parameters = [[p for m in made for p in m.parameters()] for made in modules]
    expected = outputs_and_gradients(lambda *x: call(*modules[0], *x), inputs, parameters[0])
    on_device = [device.tensor(x) for x in inputs]
    with device.active():
        found = outputs_and_gradients(lambda *x: call(*modules[1], *x), on_device, parameters[1])
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        same = torch.equal(one, other) if exactly else torch.allclose(one, other, rtol=1e-4, atol=1e-5)
        assert same, f"{'output' if i == 0 else f'gradient {i - 1}'}: {(one - other).abs().max()} apart"


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7,), (64,), (3, 5)])
def test_aggregate_is_that_of_the_cpu(device, reduce, dtype, shape):
    block = random_block()
    x = random(block.num_src, *shape, dtype=dtype)
    assert_same(device, lambda x: kt.aggregate(x, block, reduce), x, exactly=reduce == "max")


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("heads", [None, 1, 4])
def test_weighted_aggregate_is_that_of_the_cpu(device, reduce, heads):
    block = random_block()
    x = random(block.num_src, 6) if heads is None else random(block.num_src, heads, 6)
    weight = random(block.indices.size, *([] if heads is None else [heads]), seed=1)
    assert_same(device, lambda x, weight: kt.aggregate(x, block, reduce, weight), x, weight)


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_edge_softmax_is_that_of_the_cpu(device, shape):
    block = random_block()
    assert_same(device, lambda scores: kt.edge_softmax(scores, block), random(block.indices.size, *shape))


@EVERY_BLOCK
@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_small_blocks_agree_and_pass_gradcheck(device, block, reduce):
    x = random(block.num_src, 3, dtype=torch.float64)
    assert_same(device, lambda x: kt.aggregate(x, block, reduce), x)
    with device.active():
        torch.autograd.gradcheck(lambda x: kt.aggregate(x, block, reduce), device.tensor(x))


@EVERY_BLOCK
def test_gradcheck_by_weights_and_scores(device, block):
    num_edges = block.indices.size
    x = random(block.num_src, 2, 3, dtype=torch.float64)
    weight = random(num_edges, 2, dtype=torch.float64, seed=1)
    with device.active():
        x, weight = device.tensor(x), device.tensor(weight)
        for reduce in ("sum", "mean"):
            torch.autograd.gradcheck(lambda x, w, r=reduce: kt.aggregate(x, block, r, w), (x, weight))
        torch.autograd.gradcheck(lambda s: kt.edge_softmax(s, block), weight)


LAYERS = [
    ("SAGEConv", {}),
    ("SAGEConv", {"aggr": "sum", "root_weight": False}),
    ("SAGEConv", {"aggr": "max", "project": True, "normalize": True}),
    ("GCNConv", {}),
    ("GCNConv", {"add_self_loops": False}),
    ("GCNConv", {"normalize": False}),
    ("GATConv", {}),
    ("GATConv", {"heads": 3, "concat": False, "residual": True}),
    ("GATConv", {"heads": 2, "add_self_loops": False}),
]


@pytest.mark.parametrize("name, options", LAYERS, ids=[f"{n}-{'-'.join(o)}" for n, o in LAYERS])
def test_a_layer_is_that_of_the_cpu(device, name, options):
    def make():
        torch.manual_seed(0)
        return getattr(kt, name)(10, 6, **options)

    block = random_block()
    destinations = np.repeat(np.arange(block.num_dst), np.diff(block.indptr))
    edge_index = torch.from_numpy(np.stack([block.indices, destinations]).astype(np.int64))
    edge_index = edge_index[:, torch.randperm(edge_index.size(1), generator=torch.Generator().manual_seed(4))]
    places = iter([edge_index, device.tensor(edge_index)])
    x = random(block.num_src, 10)
    assert_same(device, lambda layer, x: layer(x, block), x, make_module=make)
    assert_same(device, lambda layer, x: layer(x, next(places)), x, make_module=make)


@pytest.mark.parametrize("options", [{}, {"add_self_loops": False}, {"normalize": False}])
def test_gcn_takes_edge_weights_of_an_edge_index(device, options):
    edge_index = torch.tensor([[3, 1, 0, 1, 2], [2, 0, 2, 0, 2]])
    weight = random(5).detach().abs().requires_grad_()

    def make():
        torch.manual_seed(0)
        return kt.GCNConv(3, 2, **options)

    places = iter([edge_index, device.tensor(edge_index)])
    assert_same(device, lambda m, x, w: m(x, next(places), w), random(4, 3), weight, make_module=make)
    block = kt.block_from_edge_index(edge_index, 4)  # in host memory, with the order of the edges there
    assert_same(device, lambda m, x, w: m(x, block, w), random(4, 3), weight, make_module=make)


def test_layers_take_the_blocks_of_a_batch_in_host_memory_and_moved(device, data):
    def make():
        torch.manual_seed(0)
        return torch.nn.ModuleList([kt.SAGEConv(12, 8), kt.GCNConv(8, 8), kt.GATConv(8, 4)])

    def run(layers, h, blocks):
        for layer, block in zip(layers, blocks):
            h = layer(h, block)
        return h

    loader = kith.NeighborLoader(data, [4, 4, 3], "train", batch_size=16, output="torch")
    batch = next(iter(loader))
    x = batch.x.clone().requires_grad_()
    assert_same(device, lambda layers, x: run(layers, x, batch.blocks), x, make_module=make)
    moved = batch.blocks
    moved.indptr, moved.indices = device.tensor(moved.indptr), device.tensor(moved.indices)
    places = iter([batch.blocks, moved])
    assert_same(device, lambda layers, x: run(layers, x, next(places)), x, make_module=make)


def tensors_of(block, device, dtype=torch.int32):
    indptr, indices = (device.tensor(torch.from_numpy(a).to(dtype)) for a in (block.indptr, block.indices))
    return SimpleNamespace(num_dst=block.num_dst, num_src=block.num_src, indptr=indptr, indices=indices)


def test_a_block_is_uploaded_once_for_each_stream_and_one_on_the_device_never(device):
    block, x = kt.as_block(random_block()), device.tensor(random(90, 4))
    with device.active():
        for reduce in ("mean", "sum", "max"):
            kt.aggregate(x, block, reduce).sum().backward()
        kt.edge_softmax(device.tensor(random(block.num_edges)), block).sum().backward()
        assert len(device.uploads) == 2 and device.uploads[0] is block.indptr
        layer = device.module(kt.GATConv(4, 2))
        layer(x, block)
        layer(x, block)  # the block with loops of its own, once
        assert len(device.uploads) == 4
        with other_stream(device):
            kt.aggregate(x, block)
        assert len(device.uploads) == 6
        kt.aggregate(x, block)
        for dtype in (torch.int32, torch.int64):
            on_device = tensors_of(random_block(), device, dtype)
            kt.aggregate(x, on_device).sum().backward()
        assert len(device.uploads) == 6


@contextlib.contextmanager
def other_stream(device):
    if not IS_EMULATED:
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):
            yield
        torch.cuda.synchronize()
        return
    before, device.stream = device.stream, device.controls.make_stream()
    yield
    device.stream = before


def test_arrays_of_the_device_are_read_in_place(device):
    on_device = tensors_of(random_block(), device)
    with device.active():
        checked = kt.as_block(on_device)
        on = checked.on(place_of("x", device.tensor(random(2))))
    assert on.indptr.data_ptr() == on_device.indptr.data_ptr()
    assert on.sources.data_ptr() == on_device.indices.data_ptr()
    assert checked.indices.tolist() == random_block().indices.tolist()


def test_tensors_on_two_devices_are_refused(device):
    block, edge_index = random_block(), torch.tensor([[0, 1], [1, 0]])
    x, weight = device.tensor(random(90, 4)), random(block.indices.size)
    with device.active():
        here = kt.as_block(tensors_of(block, device))
        with pytest.raises(ValueError, match="weight must be on the device of x, cuda:0, got cpu"):
            kt.aggregate(x, block, "sum", device.cpu_tensor(weight))
        with pytest.raises(ValueError, match="edge_index must be on the device of x, cuda:0, got cpu"):
            kt.SAGEConv(4, 2)(x, device.cpu_tensor(edge_index))
        with pytest.raises(ValueError, match="x_dst must be on the device of x_src, cuda:0, got cpu"):
            kt.SAGEConv(4, 2)((x, device.cpu_tensor(random(60, 4))), block)
        with pytest.raises(ValueError, match="edge_weight must be on the device of x, cuda:0, got cpu"):
            kt.GCNConv(4, 2)(x, block, device.cpu_tensor(weight))
        half = {"indptr": block.indptr, "indices": tensors_of(block, device).indices}
        with pytest.raises(ValueError, match="indptr and indices must be on one device, got cpu and cuda:0"):
            kt.as_block(SimpleNamespace(num_dst=60, num_src=90, **half))
    for call in (lambda x: kt.aggregate(x, here), lambda x: kt.GATConv(4, 2)(x, here)):
        with pytest.raises(ValueError, match="block must be on the device of the tensors, cpu, got cuda:0"):
            call(random(90, 4))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"indices": [0, 1, 3]}, r"in \[0, 3\), got 3 at position 2"),
        ({"indices": [0, -1, 2]}, "got -1"),
        ({"indices": [0, 1, 2**32]}, "fit 32 bits"),
        ({"indptr": [0, 2]}, r"number of indices \(3\), got 2"),
        ({"num_dst": 2}, r"num_dst \+ 1 = 3 values"),
    ],
)
def test_ids_that_come_from_the_device_are_checked(device, change, message):
    fields = {"num_dst": 1, "num_src": 3, "indptr": [0, 3], "indices": [2, 0, 1], **change}
    tensors = {k: device.tensor(torch.tensor(v)) if isinstance(v, list) else v for k, v in fields.items()}
    with device.active(), pytest.raises(ValueError, match=message):
        kt.aggregate(device.tensor(random(3, 2)), SimpleNamespace(**tensors))


def test_ids_of_an_edge_index_on_the_device_are_checked(device):
    with device.active():
        for ids, message in (([[0], [3]], "got 3 to 3"), ([[3], [0]], r"in \[0, 3\), got 3")):
            with pytest.raises(ValueError, match=message):
                kt.block_from_edge_index(device.tensor(torch.tensor(ids)), 3)
        block = kt.block_from_edge_index(device.tensor(torch.tensor([[3, 1, 0, 1], [2, 0, 2, 0]])), 4, 3)
    assert block.indptr.tolist() == [0, 2, 2, 4] and block.indices.tolist() == [1, 1, 3, 0]
    assert block.edge_order.tolist() == [1, 3, 0, 2] and block.device.type == "cuda"


@EMULATED
def test_work_is_queued_on_the_stream_that_is_current_and_nothing_waits(device):
    block, x = random_block(), random(90, 4).detach()
    other, device.stream = device.stream, device.controls.make_stream()
    with device.active():
        kt.aggregate(x, block)  # makes the backend and uploads the block
        device.controls.set_late(True)
        before = device.controls.num_launches()
        checked = kt.as_block(block)
        out = kt.aggregate(x, checked)
        untouched = out.clone()
        assert device.controls.num_launches() == before + 1
        x += 1  # what the kernel will find
        device.controls.synchronize(other)
        assert torch.equal(out.nan_to_num(), untouched.nan_to_num()), "it was queued on another stream"
        device.controls.synchronize(device.stream)
    assert torch.allclose(out, kt.aggregate(x, block), atol=1e-5)


# Until the stream has come there nothing may be freed: torch frees in the order of a stream on a GPU alone.
ONES = torch.ones(90, 4, 2)
OPERATIONS = {
    "sum": lambda x, block: kt.aggregate(x, block, "sum"),
    "mean": lambda x, block: kt.aggregate(x, block, "mean"),
    "max": lambda x, block: kt.aggregate(x, block, "max"),
    "softmax": lambda x, block: kt.edge_softmax(x, block),
    "heads": lambda x, block: kt.aggregate(ONES, block, "sum", x),
}


@EMULATED
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_neither_forward_nor_backward_waits(device, operation):
    block = kt.as_block(random_block())
    is_by_edge = operation in (OPERATIONS["softmax"], OPERATIONS["heads"])
    x = random(block.num_edges if is_by_edge else 90, 4)
    expected = operation(x, block)
    direction = torch.rand(expected.shape) + 0.5
    expected = expected.detach(), *torch.autograd.grad(expected, x, direction)
    with device.active():
        device.controls.set_late(True)
        out = operation(x, block)
        found = out, *torch.autograd.grad(out, x, direction)
        for one, other in zip(found, expected, strict=True):
            assert not torch.allclose(one, other, atol=1e-5), "somebody waited for the stream"
        device.controls.synchronize(device.stream)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@EMULATED
def test_what_is_derived_from_a_block_is_freed_with_it(device):
    x = device.tensor(random(90, 4))
    with device.active():
        kt.aggregate(x, random_block()).sum().backward()
        device.controls.synchronize(device.stream)
        before = device.controls.num_allocations()
        block = kt.as_block(random_block())
        for _ in range(3):
            kt.aggregate(x, block).sum().backward()
        assert device.controls.num_allocations() == before + 4  # the block by source and its weights, each once
        del block
        device.controls.synchronize(device.stream)
        assert device.controls.num_allocations() == before
        assert device.controls.num_library_handles() == 0


@REAL
def test_the_host_waits_for_nothing_and_streams_keep_their_order(device):
    layers = [kt.GATConv(4, 2, heads=2), kt.GCNConv(4, 4), kt.SAGEConv(4, 4, aggr="max")]
    layers = [device.module(layer) for layer in layers]
    x, weight = device.tensor(random(90, 4)), device.tensor(random(random_block().indices.size, seed=1))

    def use_everything():
        block = kt.as_block(random_block())
        out = kt.aggregate(x.detach().mul(2), block)
        for layer in layers:
            layer(x, block).sum().backward()
        layers[1](x, block, weight).sum().backward()
        return out

    stream, mode = torch.cuda.Stream(), torch.cuda.get_sync_debug_mode()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        for _ in range(3):  # kernels are loaded, and memory and handles of libraries are there
            use_everything()
        stream.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            torch.cuda._sleep(4_000_000_000)  # two seconds
            out = use_everything()
            assert not stream.query(), "a call waited for the device"
        finally:
            torch.cuda.set_sync_debug_mode(mode)
        stream.synchronize()
    assert torch.allclose(out.cpu(), kt.aggregate(2 * x.detach().cpu(), random_block()), atol=1e-5)


@REAL
def test_another_current_device_stays_the_current_one(device):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    block, x = random_block(), random(90, 4)
    expected = kt.aggregate(x, block)
    out = kt.aggregate(x.detach().to("cuda:1").requires_grad_(), block)
    out.sum().backward()
    assert torch.cuda.current_device() == 0 and out.device.index == 1
    assert torch.allclose(out.cpu(), expected, atol=1e-5)


def test_what_neither_place_computes_is_refused(device):
    with device.active(), pytest.raises(ValueError, match="must be float32 or float64, got torch.float16"):
        kt.aggregate(device.tensor(torch.zeros(90, 2, dtype=torch.float16)), random_block())
